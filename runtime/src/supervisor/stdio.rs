//! What do the workload's standard streams lead to? Never to the caller's terminal, file, socket or pipe itself.
//!
//! Each could be reopened the other way, reconnected or typed into from inside, so the workload gets a pipe of our own
//! and a thread copies. Only /dev/null, which leads nowhere, is opened anew.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Stat};
use rustix::pipe::PipeFlags;
use tokio::sync::oneshot;

use crate::log::{Log, Stream};
use crate::thread;

/// What one of the caller's streams is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Terminal,
    Other,
}

/// The workload's three ends, and the threads that copy for them.
#[derive(Debug)]
pub struct Streams {
    /// Standard input, output and error for the workload.
    pub ends: [OwnedFd; 3],
    outputs: Vec<Copying>,
    held: Option<OwnedFd>,
}

impl Streams {
    /// Looks at the caller's streams and makes the workload's. A terminal is read from only when `interactive`.
    pub fn open(interactive: bool) -> io::Result<Streams> {
        let input = open_input(interactive)?;
        let (output, error, outputs) = open_outputs()?;
        Ok(Streams { ends: [input, output, error], outputs, held: None })
    }

    /// Those of a workload whose streams are its engine's: they lead nowhere.
    pub(crate) fn elsewhere() -> io::Result<Streams> {
        let null = || Ok::<_, io::Error>(OwnedFd::from(File::open("/dev/null")?));
        Ok(Streams { ends: [null()?, null()?, null()?], outputs: Vec::new(), held: None })
    }

    /// Streams whose output goes into a log. Nothing is ever read from the input: it is at its end, or never comes to one
    /// where it is to be `interactive`.
    pub(crate) fn logged(log: &Arc<Log>, interactive: bool) -> io::Result<Streams> {
        let (input, held) = silent_input(interactive)?;
        let mut outputs = Vec::new();
        let mut end = |stream| {
            let (ours, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            outputs.push(log_in_thread(ours, log, stream)?);
            Ok::<_, io::Error>(theirs)
        };
        let ends = [input, end(Stream::Output)?, end(Stream::Error)?];
        Ok(Streams { ends, outputs, held })
    }

    /// The same with output into files.
    pub(crate) fn into_files(files: &[Arc<File>; 2], interactive: bool) -> io::Result<Streams> {
        let (input, held) = silent_input(interactive)?;
        let mut outputs = Vec::new();
        let output = open_output(files[0].as_fd(), &mut outputs)?;
        let error = open_output(files[1].as_fd(), &mut outputs)?;
        Ok(Streams { ends: [input, output, error], outputs, held })
    }

    /// Closes our copies of the workload's ends; the copying threads then end with the workload.
    pub fn hand_over(self) -> Relays {
        Relays { outputs: self.outputs, _held: self.held }
    }
}

/// Threads that still copy what the workload wrote.
#[derive(Debug)]
pub struct Relays {
    outputs: Vec<Copying>,
    /// An input that never comes to its end.
    _held: Option<OwnedFd>,
}

impl Relays {
    /// Waits until all that the workload wrote has been written on. Every process of the workload must be dead.
    ///
    /// # Errors
    /// Why some of it could not be written, unless nobody wants to read it.
    pub async fn finished(&mut self) -> io::Result<()> {
        let mut finished = Ok(());
        for output in &mut self.outputs {
            finished = finished.and(output.over().await);
        }
        finished
    }
}

/// A thread that copies. It is not joined, since nothing ends a write(2) that nobody reads, but told of by its end.
#[derive(Debug)]
pub(super) struct Copying(oneshot::Receiver<io::Error>);

impl Copying {
    /// Waits for its end.
    ///
    /// # Errors
    /// Why not all could be written.
    pub(super) async fn over(&mut self) -> io::Result<()> {
        if self.0.is_terminated() {
            return Ok(());
        }
        // Where all went well the thread just drops the other end.
        (&mut self.0).await.map_or(Ok(()), Err)
    }
}

fn kind(stream: BorrowedFd<'_>) -> Kind {
    let Ok(stat) = rustix::fs::fstat(stream) else { return Kind::Null };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice if is_null(&stat) => Kind::Null,
        FileType::CharacterDevice if rustix::termios::isatty(stream) => Kind::Terminal,
        _ => Kind::Other,
    }
}

fn is_null(stat: &Stat) -> bool {
    (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == (1, 3)
}

fn null() -> io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}

/// An input from which nothing ever comes, and what holds it open where it is not to be at its end.
fn silent_input(interactive: bool) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    if !interactive {
        return Ok((null()?, None));
    }
    let (theirs, ours) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    Ok((theirs, Some(ours)))
}

fn open_input(interactive: bool) -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    match kind(stdin.as_fd()) {
        Kind::Null => null(),
        Kind::Terminal if !interactive => null(),
        Kind::Terminal | Kind::Other => {
            let (theirs, ours) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            // Not joined: it may wait for ever in read(2) and holds nothing that must be finished.
            copy_in_thread(stdin.as_fd().try_clone_to_owned()?, ours)?;
            Ok(theirs)
        }
    }
}

/// Output and error share one pipe where the caller's are one file, so that lines keep their order.
fn open_outputs() -> io::Result<(OwnedFd, OwnedFd, Vec<Copying>)> {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let mut threads = Vec::new();
    let output = open_output(stdout.as_fd(), &mut threads)?;
    let error = if same_file(stdout.as_fd(), stderr.as_fd()) {
        output.try_clone()?
    } else {
        open_output(stderr.as_fd(), &mut threads)?
    };
    Ok((output, error, threads))
}

fn open_output(stream: BorrowedFd<'_>, threads: &mut Vec<Copying>) -> io::Result<OwnedFd> {
    match kind(stream) {
        Kind::Null => null(),
        Kind::Terminal | Kind::Other => {
            let (ours, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            threads.push(copy_in_thread(ours, stream.try_clone_to_owned()?)?);
            Ok(theirs)
        }
    }
}

fn same_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    match (rustix::fs::fstat(one), rustix::fs::fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

/// Copies until the source ends or the sink is gone; then the writer meets a broken pipe, as it would without us.
pub(super) fn copy_in_thread(from: OwnedFd, to: OwnedFd) -> io::Result<Copying> {
    let (ends, end) = oneshot::channel();
    thread::begin(move || match copy(&from.into(), &to.into()) {
        // Nobody waits for the end of a copy into the bottle.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => drop(ends.send(error)),
        _ => drop(ends),
    })?;
    Ok(Copying(end))
}

/// Writes into the log until the source ends.
pub(super) fn log_in_thread(from: OwnedFd, log: &Arc<Log>, stream: Stream) -> io::Result<Copying> {
    let (ends, end) = oneshot::channel();
    let (log, mut from) = (Arc::clone(log), File::from(from));
    thread::begin(move || {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match from.read(&mut buffer) {
                Err(error) if is_passing(&error) => {}
                // A terminal whose other side is closed ends with an error.
                Ok(0) | Err(_) => break,
                Ok(count) => log.write(stream, &buffer[..count]),
            }
        }
        drop(ends);
    })?;
    Ok(Copying(end))
}

/// What can't be read any more has ended; what can't be written is an error.
///
/// By hand: io::copy splices, and a splice that waits goes on where the file ended when it began, over what others wrote.
/// Whether the caller's ends wait is for others to say, since who shares an open file shares O_NONBLOCK.
pub(super) fn copy(mut from: &File, to: &File) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        await_input(from, to)?;
        // Not before there is something: many a stream stays silent.
        buffer.resize(64 * 1024, 0);
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => write_all(to, &buffer[..count])?,
            Err(error) if is_passing(&error) => {}
            Err(_) => return Ok(()),
        }
    }
}

/// Waits for something to read, or its end. A pipe that nobody reads any more is noticed before there is something to write.
fn await_input(from: &File, to: &File) -> io::Result<()> {
    let mut ends = [PollFd::new(from, PollFlags::IN), PollFd::new(to, PollFlags::empty())];
    await_one(&mut ends)?;
    if ends[1].revents().contains(PollFlags::ERR) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    // A terminal that was hung up says so for ever, and may still be written to.
    if ends[0].revents().is_empty() { await_one(&mut ends[..1]) } else { Ok(()) }
}

fn await_one(ends: &mut [PollFd<'_>]) -> io::Result<()> {
    match poll(ends, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn write_all(mut to: &File, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match to.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if is_passing(&error) => await_one(&mut [PollFd::new(to, PollFlags::OUT)])?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_into_a_file_overwrites_nothing() {
        use std::io::Seek;
        let mut file = tempfile::tempfile().unwrap();
        let (from, to) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
        let mut to = File::from(to);
        let copying = copy_in_thread(from, file.try_clone().unwrap().into()).unwrap();
        to.write_all(b"the workload, ").unwrap();
        // The copy has come as far as waiting for more when this much is in the file.
        while file.metadata().unwrap().len() < 14 {
            std::thread::yield_now();
        }
        file.write_all(b"bottle").unwrap();
        to.write_all(b", the workload").unwrap();
        drop(to);
        assert!(copying.0.blocking_recv().is_err());
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "the workload, bottle, the workload");
    }

    #[test]
    fn ends_that_do_not_wait_are_copied_to_the_last_byte() {
        let (from, source) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        let (sink, to) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        for end in [&source, &sink] {
            rustix::fs::fcntl_setfl(end, rustix::fs::OFlags::empty()).unwrap();
        }
        let copying = copy_in_thread(from, to).unwrap();
        let writing = std::thread::spawn(move || File::from(source).write_all(&vec![7; 1 << 20]));
        // Nobody reads before both pipes are full.
        while rustix::io::ioctl_fionread(&sink).unwrap() < 64 * 1024 {
            std::thread::yield_now();
        }
        let mut read = Vec::new();
        File::from(sink).read_to_end(&mut read).unwrap();
        writing.join().unwrap().unwrap();
        assert!(copying.0.blocking_recv().is_err());
        assert!(read.len() == 1 << 20 && read.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_copy_before_anything_is_written() {
        let (from, _source) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (sink, to) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
        let copying = copy_in_thread(from, to).unwrap();
        drop(sink);
        assert!(copying.0.blocking_recv().is_err());
    }

    #[test]
    fn a_sink_that_is_full_is_an_error_and_not_an_end() {
        let (from, to) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let copying = copy_in_thread(from, full.into()).unwrap();
        File::from(to).write_all(b"lost").unwrap();
        assert_eq!(copying.0.blocking_recv().unwrap().kind(), io::ErrorKind::StorageFull);
    }
}
