//! How does a process come to stand before its execve(2)? It confines itself, says that it is ready, and waits for a word.
//!
//! The first process of a bottle and those that enter it later go through this one function.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Gid, Mode, Uid};
use rustix::process::DumpableBehavior;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use serde::{Deserialize, Serialize};

use super::child;
use super::failure::{at, on};
use super::identity::Pair;
use super::message::Failure;
use super::plan::Window;
use super::{search, stage};
use crate::confine::{self, Identity, Standing, Wall};
use crate::ulimit::Ulimit;
use crate::{descriptors, sys};

/// Everything that is decided about such a process.
pub(crate) struct Launch<'a> {
    /// Its program and arguments; never empty.
    pub(crate) argv: &'a [String],
    /// Its whole environment.
    pub(crate) env: &'a [(String, String)],
    /// Its working directory.
    pub(crate) workdir: &'a Path,
    /// Its soft limit of descriptors, where it is not the supervisor's.
    pub(crate) descriptors: Option<u64>,
    /// What it may use, where that is not what the supervisor may.
    pub(crate) ulimits: &'a [Ulimit],
    /// How readily the kernel kills it where memory is short, so that init is not the one.
    pub(crate) readily_killed: Option<u16>,
    /// Who it becomes, inside.
    pub(crate) identity: Identity,
    /// What of its files it may change, whatever becomes of the mounts.
    pub(crate) wall: Wall,
    /// Who may look into it while it is on hold.
    pub(crate) visibility: Visibility,
}

/// Who may look into a process on hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Whoever has its uid, once it is fully confined: an ordinary user's supervisor has no other way to list its descriptors.
    OnHold,
    /// Only who has more privilege.
    Never,
}

/// What its standard streams will be.
pub(crate) enum Ends {
    /// Three of them.
    Handed([OwnedFd; 3]),
    /// A terminal.
    Terminal(OwnedFd),
}

/// What it says: that it is ready, or why it is not, and after that why execve(2) failed.
#[derive(Serialize, Deserialize)]
pub(crate) enum Report {
    /// It waits to be released.
    Ready {
        /// The program, as an absolute path inside.
        executable: String,
        /// Whether its second wall stands.
        wall: Standing,
    },
    /// It never will execute anything.
    Failed(Failure),
}

/// Is such a process. Returns only when there is nothing to execute.
pub(crate) fn be(launch: &Launch<'_>, user_namespace: impl AsFd, ends: &Ends, tell: OwnedFd, wait: OwnedFd) -> i32 {
    let mut tell = File::from(tell);
    let Err(failure) = prepare(launch, user_namespace.as_fd(), ends, &mut tell, &wait);
    let code = i32::from(failure.code);
    // If nobody listens, nobody needs to know.
    let _ = say(&mut tell, &Report::Failed(failure));
    code
}

fn prepare(
    launch: &Launch<'_>,
    user_namespace: BorrowedFd<'_>,
    ends: &Ends,
    tell: &mut File,
    wait: &OwnedFd,
) -> Result<Infallible, Failure> {
    connect(ends).map_err(at("connect the workload's streams"))?;
    launch.descriptors.map_or(Ok(()), descriptors::limit).map_err(at("limit descriptors"))?;
    launch.ulimits.iter().try_for_each(Ulimit::set).map_err(at("set what --ulimit gives"))?;
    if launch.visibility == Visibility::Never {
        before_init(launch)?;
    }
    sys::reset_signals();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    child::confine(user_namespace, launch.identity, Some(&launch.wall))?;
    // Before a path is looked up that could lead through one of them.
    let stdin = rustix::stdio::stdin();
    child::keep_only(&[stdin, rustix::stdio::stdout(), rustix::stdio::stderr(), tell.as_fd(), wait.as_fd()]);
    let workdir = launch.workdir;
    rustix::process::chdir(workdir).map_err(on("enter the working directory", workdir))?;
    let executable = search::find(&launch.argv[0], launch.env)?;
    let image = Image::new(&executable, launch).map_err(at("name the program"))?;
    if launch.visibility == Visibility::OnHold {
        // Whoever measures the held process without privilege must be allowed to look at it.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(at("show the workload"))?;
        before_init(launch)?;
    }
    let wall = confine::tried().map_err(at("try the second wall"))?;
    say(tell, &Report::Ready { executable: executable.display().to_string(), wall })
        .map_err(at("report the workload"))?;
    match rustix::io::read(wait, &mut [0; 1]) {
        Ok(1) => Err(search::refused(&executable, &image.execute())),
        _ => Err(at("wait for the release")(io::Error::from(io::ErrorKind::UnexpectedEof))),
    }
}

/// Only for itself and what it forks and executes. It may go back to 0, and harms nobody else by that. The kernel's file is its
/// own only while it can be looked into, or while it has privileges.
fn before_init(launch: &Launch<'_>) -> Result<(), Failure> {
    let write = |readily: u16| std::fs::write("/proc/self/oom_score_adj", readily.to_string());
    launch.readily_killed.map_or(Ok(()), write).map_err(at("have the workload killed before init"))
}

fn say(tell: &mut File, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    tell.write_all(&line)
}

/// Pipes of bottle's become the workload's: programs open `/dev/stderr` anew. Given are the ids that the caller counts.
pub(crate) fn give(streams: &[OwnedFd; 3], (uid, gid): (u32, u32)) -> io::Result<()> {
    streams.iter().try_for_each(|stream| match FileType::from_raw_mode(rustix::fs::fstat(stream)?.st_mode) {
        FileType::Fifo => stage::give(stream.as_fd(), Pair { uid, gid }),
        _ => Ok(()),
    })
}

/// The workload's side of a terminal, which belongs to its user.
pub(crate) fn other_side(master: &OwnedFd, owner: (u32, u32), window: Option<Window>) -> io::Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let own = rustix::pty::ioctl_tiocgptpeer(master, flags)?;
    rustix::fs::fchown(&own, Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.1)))?;
    if let Some(window) = window {
        let size = Winsize { ws_row: window.rows, ws_col: window.columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(master, size)?;
    }
    Ok(own)
}

/// A session of its own in any case; a terminal becomes its controlling one.
fn connect(ends: &Ends) -> io::Result<()> {
    rustix::process::setsid()?;
    let ends: [BorrowedFd<'_>; 3] = match ends {
        Ends::Handed([input, output, error]) => [input.as_fd(), output.as_fd(), error.as_fd()],
        Ends::Terminal(own) => {
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
    fn new(path: &Path, launch: &Launch<'_>) -> io::Result<Image> {
        use std::os::unix::ffi::OsStrExt;
        let arguments = launch.argv.iter().map(|argument| CString::new(argument.as_bytes()));
        let environment = launch.env.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
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
