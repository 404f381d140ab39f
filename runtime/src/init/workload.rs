//! How does the workload come to stand before its execve(2)? A child of pid 1 confines itself and waits for a word.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags};
use rustix::pty::OpenptFlags;

use crate::confine::{Identity, Standing, Wall};
use crate::sys;

use super::enter::Start;
use super::failure::at;
use super::launch::{self, Ends, Launch, Report, Visibility};
use super::message::Failure;
use super::plan::Window;

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
    /// Whether its second wall stands.
    pub(super) wall: Standing,
    /// The master of its pty.
    pub(super) terminal: Option<OwnedFd>,
    report: BufReader<File>,
    release: OwnedFd,
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
    let owner = start.identities.outside(bottle_images::Owner::User);
    let owner = (owner.uid, owner.gid);
    let (ends, terminal) = match start.streams.take() {
        Some(streams) => {
            launch::give(&streams, owner).map_err(at(STEP))?;
            (Ends::Handed(streams), None)
        }
        None => {
            let (own, master) = open_terminal(owner, start.plan.terminal).map_err(at("open a terminal"))?;
            (Ends::Terminal(own), Some(master))
        }
    };
    let Some(pid) = sys::fork_child().map_err(at(STEP))? else {
        let namespace = start.identities.namespace();
        sys::exit_now(launch::be(&launch(start), namespace, &ends, tell, wait));
    };
    drop((tell, wait, ends));
    let pid = Pid::from_raw(pid).ok_or(io::Error::from(io::ErrorKind::InvalidData)).map_err(at(STEP))?;
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(at(STEP))?;
    Ok(Holding { pid, pidfd, terminal, report: BufReader::new(File::from(report)), release })
}

impl Holding {
    /// Waits until nothing is left to do for it but its execve(2).
    pub(super) fn ready(self) -> Result<Held, Failure> {
        let Holding { pid, pidfd, terminal, mut report, release } = self;
        match next(&mut report)? {
            Some(Report::Ready { executable, wall }) => {
                Ok(Held { pid, pidfd, executable, wall, terminal, report, release })
            }
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

fn launch(start: &Start) -> Launch<'_> {
    let (plan, user) = (&start.plan, start.identities.user());
    Launch {
        argv: &plan.argv,
        env: &plan.files.env,
        workdir: &plan.files.workdir,
        wall: Wall::of(&plan.files),
        descriptors: plan.descriptors,
        ulimits: &plan.ulimits,
        readily_killed: plan.readily_killed,
        identity: Identity { uid: user.uid, gid: user.gid },
        // Nobody else is inside yet.
        visibility: Visibility::OnHold,
    }
}

/// A pty of the bottle's own instance: its side, then ours.
fn open_terminal(owner: (u32, u32), window: Option<Window>) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&master)?;
    Ok((launch::other_side(&master, owner, window)?, master))
}
