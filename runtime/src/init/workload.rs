//! How does the workload come to stand before its execve(2)? A child of pid 1 confines itself and waits for a word.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags};
use rustix::pty::OpenptFlags;
use serde::{Deserialize, Serialize};

use crate::{descriptors, sys};

use super::child;
use super::enter::Start;
use super::failure::{at, on};
use super::identity::{Identities, Pair};
use super::message::Failure;
use super::plan::InitPlan;
use super::{search, stage};

/// A workload that gets ready.
pub(super) struct Holding {
    pid: Pid,
    pidfd: OwnedFd,
    terminal: Option<OwnedFd>,
    report: BufReader<File>,
    release: OwnedFd,
}

/// A workload that waits to be released.
pub(super) struct Held {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// The program, as an absolute path inside.
    pub(super) executable: String,
    /// The master of its pty.
    pub(super) terminal: Option<OwnedFd>,
    report: BufReader<File>,
    release: OwnedFd,
}

/// What the child says: that it is ready, or why it is not, and after that why execve(2) failed.
#[derive(Serialize, Deserialize)]
enum Report {
    Ready { executable: String },
    Failed(Failure),
}

impl Held {
    /// Lets it execute. Returns when it has.
    pub(super) fn release(mut self) -> Result<Pid, Failure> {
        rustix::io::write(&self.release, &[1]).map_err(at("release the workload"))?;
        match next(&mut self.report)? {
            None => Ok(self.pid),
            Some(Report::Failed(failure)) => Err(failure),
            Some(Report::Ready { .. }) => Err(at("release the workload")(io::Error::from(io::ErrorKind::InvalidData))),
        }
    }
}

const STEP: &str = "start the workload";

/// Forks the workload, which does everything up to its execve(2).
pub(super) fn hold(start: &mut Start) -> Result<Holding, Failure> {
    let (report, tell) = pipe_with(PipeFlags::CLOEXEC).map_err(at(STEP))?;
    let (wait, release) = pipe_with(PipeFlags::CLOEXEC).map_err(at(STEP))?;
    let (streams, terminal) = match start.streams.take() {
        Some(streams) => {
            let owner = start.identities.outside(bottle_images::Owner::User);
            streams.iter().try_for_each(|stream| own(stream, owner)).map_err(at(STEP))?;
            (Streams::Handed(streams), None)
        }
        None => {
            open_terminal(&start.plan, &start.identities).map(|(own, master)| (Streams::Terminal(own), Some(master)))?
        }
    };
    let Some(pid) = sys::fork_child().map_err(at(STEP))? else {
        sys::exit_now(be(&start.plan, &start.identities, &streams, tell, wait));
    };
    drop((tell, wait, streams));
    let pid = Pid::from_raw(pid).ok_or(io::Error::from(io::ErrorKind::InvalidData)).map_err(at(STEP))?;
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(at(STEP))?;
    Ok(Holding { pid, pidfd, terminal, report: BufReader::new(File::from(report)), release })
}

impl Holding {
    /// Waits until nothing is left to do for it but its execve(2).
    pub(super) fn ready(self) -> Result<Held, Failure> {
        let Holding { pid, pidfd, terminal, mut report, release } = self;
        match next(&mut report)? {
            Some(Report::Ready { executable }) => Ok(Held { pid, pidfd, executable, terminal, report, release }),
            Some(Report::Failed(failure)) => Err(failure),
            None => Err(at(STEP)(io::Error::from(io::ErrorKind::UnexpectedEof))),
        }
    }
}

fn next(report: &mut BufReader<File>) -> Result<Option<Report>, Failure> {
    let mut line = String::new();
    let length = report.read_line(&mut line).map_err(at("hear from the workload"))?;
    if length == 0 {
        return Ok(None);
    }
    serde_json::from_str(&line).map(Some).map_err(io::Error::from).map_err(at("hear from the workload"))
}

enum Streams {
    Handed([OwnedFd; 3]),
    Terminal(OwnedFd),
}

/// A pty of the bottle's own instance, which belongs to the workload's user: its side, then ours.
fn open_terminal(plan: &InitPlan, identities: &Identities) -> Result<(OwnedFd, OwnedFd), Failure> {
    const STEP: &str = "open a terminal";
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags).map_err(at(STEP))?;
    rustix::pty::unlockpt(&master).map_err(at(STEP))?;
    let own = rustix::pty::ioctl_tiocgptpeer(&master, flags).map_err(at(STEP))?;
    let owner = identities.outside(bottle_images::Owner::User);
    let (uid, gid) = (rustix::fs::Uid::from_raw(owner.uid), rustix::fs::Gid::from_raw(owner.gid));
    rustix::fs::fchown(&own, Some(uid), Some(gid)).map_err(at(STEP))?;
    if let Some(window) = plan.terminal {
        let size = rustix::termios::Winsize { ws_row: window.rows, ws_col: window.columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&master, size).map_err(at(STEP))?;
    }
    Ok((own, master))
}

/// The child. Returns only when there is nothing to execute.
fn be(plan: &InitPlan, identities: &Identities, streams: &Streams, tell: OwnedFd, wait: OwnedFd) -> i32 {
    let mut tell = File::from(tell);
    let Err(failure) = prepare(plan, identities, streams, &mut tell, &wait);
    let code = i32::from(failure.code);
    // If nobody listens, nobody needs to know.
    let _ = say(&mut tell, &Report::Failed(failure));
    code
}

fn prepare(
    plan: &InitPlan,
    identities: &Identities,
    streams: &Streams,
    tell: &mut File,
    wait: &OwnedFd,
) -> Result<std::convert::Infallible, Failure> {
    connect(streams).map_err(at("connect the workload's streams"))?;
    plan.descriptors.map_or(Ok(()), descriptors::limit).map_err(at("limit descriptors"))?;
    sys::reset_signals();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    child::confine(identities)?;
    let workdir = &plan.files.workdir;
    rustix::process::chdir(workdir).map_err(on("enter the working directory", workdir))?;
    let executable = search::find(&plan.argv[0], &plan.files.env)?;
    let image = Image::new(&executable, plan).map_err(at("name the program"))?;
    let stdin = rustix::stdio::stdin();
    child::keep_only(&[stdin, rustix::stdio::stdout(), rustix::stdio::stderr(), tell.as_fd(), wait.as_fd()]);
    // Whoever measures the held process without privilege must be allowed to look at it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(at("show the workload"))?;
    say(tell, &Report::Ready { executable: executable.display().to_string() }).map_err(at("report the workload"))?;
    match rustix::io::read(wait, &mut [0; 1]) {
        Ok(1) => Err(search::refused(&executable, &image.execute())),
        _ => Err(at("wait for the release")(io::Error::from(io::ErrorKind::UnexpectedEof))),
    }
}

fn say(tell: &mut File, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    tell.write_all(&line)
}

/// A pipe of bottle's becomes the workload's: programs open `/dev/stderr` anew.
fn own(stream: &OwnedFd, owner: Pair) -> io::Result<()> {
    match FileType::from_raw_mode(rustix::fs::fstat(stream)?.st_mode) {
        FileType::Fifo => stage::give(stream.as_fd(), owner),
        _ => Ok(()),
    }
}

/// A session of its own in any case; a terminal becomes its controlling one.
fn connect(streams: &Streams) -> io::Result<()> {
    rustix::process::setsid()?;
    let ends: [BorrowedFd<'_>; 3] = match streams {
        Streams::Handed([input, output, error]) => [input.as_fd(), output.as_fd(), error.as_fd()],
        Streams::Terminal(own) => {
            rustix::process::ioctl_tiocsctty(own)?;
            [own.as_fd(); 3]
        }
    };
    rustix::stdio::dup2_stdin(ends[0])?;
    rustix::stdio::dup2_stdout(ends[1])?;
    rustix::stdio::dup2_stderr(ends[2])?;
    Ok(())
}

/// The arguments of execve(2), made before there is anything that could fail.
struct Image {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Image {
    fn new(path: &Path, plan: &InitPlan) -> io::Result<Image> {
        use std::os::unix::ffi::OsStrExt;
        let arguments = plan.argv.iter().map(|argument| CString::new(argument.as_bytes()));
        let environment = plan.files.env.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
        Ok(Image {
            path: CString::new(path.as_os_str().as_bytes())?,
            arguments: arguments.collect::<Result<_, _>>()?,
            environment: environment.collect::<Result<_, _>>()?,
        })
    }

    /// Returns only to say why it failed.
    fn execute(&self) -> io::Error {
        match nix::unistd::execve(&self.path, &self.arguments, &self.environment) {
            Ok(never) => match never {},
            Err(errno) => errno.into(),
        }
    }
}
