//! `bottle audit show` and `bottle audit tail`: what do the entries say, and which ones come?

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Seek, SeekFrom, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bottle_evidence::audit::{Choice, Entry, Line, MAX_LINE};
use bottle_runtime::segments;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::filter::Filter;
use super::{EmptyLog, NO_LOG, NoLog, ReadError, entry};
use crate::args::{AuditShowArgs, Tail};
use crate::report::{Failure, escape};
use crate::stdout;

/// A log whose last run has no end, and nobody who could write it.
#[derive(Debug, thiserror::Error)]
#[error("{}: the run has no end, and whoever wrote the log has ended", .0.display())]
struct Abandoned(PathBuf);

/// It can't be told when the log changes.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch the audit log {}", path.display())]
struct Unwatched {
    path: PathBuf,
    source: Errno,
}

/// All entries that are there.
pub fn show(path: &Path, args: &AuditShowArgs) -> Result<ExitCode, Failure> {
    let mut log = Growing::open(path)?;
    let mut printer = Printer::new(args);
    let mut first = true;
    while let Some(bytes) = log.next().map_err(|source| unreadable(path, source))? {
        begins(&mut first, path, &bytes)?;
        if let Some(text) = printer.text(&bytes) {
            stdout::line(&text)?;
        }
    }
    match (first, log.rest.is_empty()) {
        (true, true) => Err(Failure::new(EmptyLog(path.to_owned())).with_hint(NO_LOG).with_code(1)),
        (true, false) => Err(no_log(path)),
        (false, true) => Ok(ExitCode::SUCCESS),
        (false, false) => {
            // The last line has no end.
            let rest = std::mem::take(&mut log.rest);
            printer.text(&rest).map_or(Ok(()), |text| stdout::line(&text))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The last entries, and those that come until the run is over.
pub fn tail(path: &Path, args: &AuditShowArgs, lines: Tail) -> Result<ExitCode, Failure> {
    let failed = |source| unreadable(path, source);
    let mut log = Growing::open(path)?;
    // Before anything is read, so that nothing comes unseen.
    log.watch = Some(Watch::on(path).map_err(|errno| unwatched(path, errno))?);
    let mut printer = Printer::new(args);
    let (mut last, mut first) = (Last::new(lines), true);
    let mut tell = || {
        while let Some(bytes) = log.next().map_err(failed)? {
            begins(&mut first, path, &bytes)?;
            printer.text(&bytes).and_then(|text| last.push(text)).map_or(Ok(()), |text| told(&text))?;
        }
        // A first line is written at once: what begins otherwise never becomes one.
        if first && !log.rest.is_empty() && !log.rest.starts_with(b"{\"") {
            return Err(no_log(path));
        }
        last.kept.iter().try_for_each(|text| told(text))?;
        follow(path, &mut log, &mut printer)
    };
    match tell() {
        // Who read it has seen enough.
        Err(failure) if stdout::is_unread(&failure) => Ok(ExitCode::SUCCESS),
        told => told.map(|()| ExitCode::SUCCESS),
    }
}

/// More text than this is not kept, however many lines were asked for.
const MOST_KEPT: usize = 64 << 20;

/// The last lines of those that are there.
struct Last {
    lines: Tail,
    kept: VecDeque<String>,
    bytes: usize,
}

impl Last {
    fn new(lines: Tail) -> Last {
        Last { lines, kept: VecDeque::new(), bytes: 0 }
    }

    /// Takes the next one; it comes back at once where all are asked for, and nothing has to be kept.
    fn push(&mut self, text: String) -> Option<String> {
        let Tail::Lines(most) = self.lines else { return Some(text) };
        self.bytes += text.len();
        self.kept.push_back(text);
        while self.kept.len() > most || self.bytes > MOST_KEPT && self.kept.len() > 1 {
            self.bytes -= self.kept.pop_front().map_or(0, |text| text.len());
        }
        None
    }
}

fn follow(path: &Path, log: &mut Growing, printer: &mut Printer) -> Result<(), Failure> {
    let failed = |source| unreadable(path, source);
    while !printer.is_over {
        let is_closed = log.changed().map_err(failed)?;
        while let Some(bytes) = log.next().map_err(failed)? {
            printer.text(&bytes).map_or(Ok(()), |text| told(&text))?;
        }
        if is_closed && !printer.is_over {
            return Err(Failure::new(Abandoned(path.to_owned())).with_code(1));
        }
    }
    Ok(())
}

/// Whether it is a log, by its first line. What comes after that is shown whatever it is.
fn begins(first: &mut bool, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if std::mem::replace(first, false) && Line::from_bytes(bytes).is_err() {
        return Err(no_log(path));
    }
    Ok(())
}

fn no_log(path: &Path) -> Failure {
    Failure::new(NoLog(path.to_owned())).with_hint(NO_LOG)
}

/// One line, which who reads it must take.
fn told(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(stdout::unwritten)
}

fn unwatched(path: &Path, source: Errno) -> Failure {
    let setting = match source {
        Errno::MFILE => Some("max_user_instances"),
        Errno::NOSPC => Some("max_user_watches"),
        _ => None,
    };
    let hint = setting.map(|setting| {
        format!(
            "others of yours watch as many files as they may (fs.inotify.{setting}): end some, or `bottle audit show`"
        )
    });
    Failure { hint, ..Failure::new(Unwatched { path: path.to_owned(), source }) }
}

fn unreadable(path: &Path, source: io::Error) -> Failure {
    Failure::new(ReadError { path: path.to_owned(), source })
}

/// How an entry is shown, and whether it is at all.
struct Printer {
    filter: Filter,
    json: bool,
    colours: bool,
    /// Whether the last run of the log has its end.
    is_over: bool,
}

impl Printer {
    fn new(args: &AuditShowArgs) -> Printer {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colours = !refused && !args.json && io::stdout().is_terminal();
        Printer { filter: Filter::new(args), json: args.json, colours, is_over: false }
    }

    /// The next line of the log as it is shown.
    fn text(&mut self, bytes: &[u8]) -> Option<String> {
        let line = Line::from_bytes(bytes);
        if let Ok(line) = &line {
            // A seal comes after an end, too.
            self.is_over =
                matches!(line.entry, Entry::RunEnd(_)) || self.is_over && matches!(line.entry, Entry::Seal(_));
            if !self.filter.admits(&line.entry) {
                return None;
            }
        }
        Some(match (self.json, line) {
            (true, Ok(_)) => stdout::escaped(&String::from_utf8_lossy(bytes)),
            (true, Err(_)) => escape(&String::from_utf8_lossy(bytes)),
            (false, Ok(line)) => self.paint(&line.entry, entry::render(&line)),
            (false, Err(error)) => format!("     ?  not an entry: {error}"),
        })
    }

    fn paint(&self, entry: &Entry, text: String) -> String {
        let colour = match entry {
            Entry::Drift(_) | Entry::Torn(_) => "1;31",
            Entry::DnsDenied(_) | Entry::Refused(_) => "31",
            Entry::Decision(decision) => match decision.decision {
                Choice::Allow => "32",
                Choice::Observe | Choice::Escalate => "33",
                Choice::Deny => "31",
            },
            Entry::Seal(_) | Entry::Segment(_) => "2",
            _ => return text,
        };
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text }
    }
}

/// A log that is read while it grows.
struct Growing {
    /// Its first file.
    log: PathBuf,
    /// Which of its files is read.
    number: u64,
    file: BufReader<File>,
    watch: Option<Watch>,
    /// Where the line begins that comes next.
    at: u64,
    /// What there is of it.
    rest: Vec<u8>,
}

impl Growing {
    fn open(path: &Path) -> Result<Growing, Failure> {
        let log = segments::of(path).map_err(Failure::new)?.swap_remove(0);
        let file = File::open(&log).map_err(|source| unreadable(path, source))?;
        Ok(Growing { log, number: 1, file: BufReader::new(file), watch: None, at: 0, rest: Vec::new() })
    }

    /// Waits until it has changed; whether that is that who wrote it has closed it.
    fn changed(&self) -> io::Result<bool> {
        self.watch.as_ref().map_or(Ok(true), Watch::wait)
    }

    /// The next whole line, without its line feed. What there is of a line is read again: it may have been cut meanwhile.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            // Before the end of this one is looked for: there is more to come where the next is not there.
            let next = segments::path(&self.log, self.number + 1);
            let is_followed = next.symlink_metadata().is_ok();
            if let Some(line) = self.next_here()? {
                return Ok(Some(line));
            }
            if !is_followed || !self.rest.is_empty() {
                return Ok(None);
            }
            self.watch.as_ref().map_or(Ok(()), |watch| watch.also(&next))?;
            (self.file, self.number, self.at) = (BufReader::new(segments::regular(&next)?), self.number + 1, 0);
        }
    }

    fn next_here(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.rest.is_empty() {
            self.rest.clear();
            self.file.seek(SeekFrom::Start(self.at))?;
        }
        // No line is longer, and more is never read.
        let count = (&mut self.file).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.rest)?;
        if self.rest.len() > MAX_LINE && self.rest.last() != Some(&b'\n') {
            let why = format!("a line is longer than {MAX_LINE} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        if self.rest.pop_if(|last| *last == b'\n').is_none() {
            return Ok(None);
        }
        self.at += count as u64;
        Ok(Some(std::mem::take(&mut self.rest)))
    }
}

/// Tells when a log has changed.
struct Watch {
    events: OwnedFd,
    /// The first file, which its writer has open as long as it writes.
    first: i32,
}

impl Watch {
    fn on(path: &Path) -> Result<Watch, Errno> {
        let events = inotify::init(CreateFlags::CLOEXEC)?;
        let first = inotify::add_watch(&events, path, WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE)?;
        // Beside the file itself, and not beside a link to it, others of the same log come to be.
        if let Some(directory) = path.canonicalize().ok().as_deref().and_then(Path::parent) {
            inotify::add_watch(&events, directory, WatchFlags::CREATE)?;
        }
        Ok(Watch { events, first })
    }

    fn also(&self, path: &Path) -> io::Result<()> {
        Ok(inotify::add_watch(&self.events, path, WatchFlags::MODIFY).map(drop)?)
    }

    /// Waits for the next change; whether it is that who wrote it has closed it.
    fn wait(&self) -> io::Result<bool> {
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut space);
        loop {
            match reader.next() {
                Ok(event) => return Ok(event.wd() == self.first && event.events().contains(ReadFlags::CLOSE_WRITE)),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_text_is_kept_than_there_is_room_for_and_none_where_all_is_asked_for() {
        let line = || "x".repeat(MOST_KEPT / 4);
        let mut last = Last::new(Tail::Lines(1000));
        assert!((0..9).all(|_| last.push(line()).is_none()));
        assert_eq!((last.kept.len(), last.bytes), (4, MOST_KEPT));
        let mut two = Last::new(Tail::Lines(2));
        assert!(["a", "b", "c"].iter().all(|text| two.push((*text).to_owned()).is_none()));
        assert_eq!(two.kept, ["b", "c"]);
        assert_eq!(Last::new(Tail::All).push("a".to_owned()), Some("a".to_owned()));
    }
}
