//! How does pid 1 have something done by a process that is not pid 1? By a child, which answers through a pipe.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::confine::{self, Identity, Wall};
use crate::probe::{self, ProbePlan, ProbeResult, Share};
use crate::sys;

use super::failure::at;
use super::identity::Identities;
use super::message::Failure;

/// Enters the workload's user namespace and confines the calling process as the workload, within a wall where it has files.
pub(super) fn confine(user_namespace: BorrowedFd<'_>, identity: Identity, wall: Option<&Wall>) -> Result<(), Failure> {
    let into = Some(LinkNameSpaceType::User);
    move_into_link_name_space(user_namespace, into).map_err(at("enter the workload's user namespace"))?;
    let within = |()| wall.map_or(Ok(()), confine::within);
    confine::workload(identity).and_then(within).map_err(|error| {
        let source = std::error::Error::source(&error).map_or(String::new(), |source| format!(": {source}"));
        Failure { code: 125, what: format!("{error}{source}"), hint: None }
    })
}

const PROBES: &str = "run the probes";

/// A child that makes probes when it is told to, and then ends on its own.
pub(super) struct Probing {
    child: Option<Pid>,
    go: OwnedFd,
    answer: OwnedFd,
}

/// Has a child prepare for probes: as pid 1 is, with every capability, or confined as the workload will be.
pub(super) fn probe(plan: &ProbePlan, share: Share, confined: Option<&Identities>) -> Result<Probing, Failure> {
    let (answer, tell) = pipe_with(PipeFlags::CLOEXEC).map_err(at(PROBES))?;
    let (wait, go) = pipe_with(PipeFlags::CLOEXEC).map_err(at(PROBES))?;
    let Some(child) = sys::fork_child().map_err(at(PROBES))? else {
        sys::exit_now(i32::from(answer_probe(plan, share, confined, [tell, wait]).is_err()));
    };
    Ok(Probing { child: Pid::from_raw(child), go, answer })
}

impl Probing {
    /// Has the probes made.
    pub(super) fn begin(&self) -> Result<(), Failure> {
        rustix::io::write(&self.go, &[1]).map(drop).map_err(at(PROBES))
    }

    /// The child. When it has answered it is about to end.
    pub(super) fn child(&self) -> Option<Pid> {
        self.child
    }

    /// What the probes saw, when they are through.
    pub(super) fn results(self) -> Result<Vec<ProbeResult>, Failure> {
        let text = read_line(self.answer).map_err(at(PROBES))?;
        serde_json::from_slice(&text).map_err(io::Error::from).map_err(at(PROBES))?
    }
}

/// Waits until such a child has ended.
pub(super) fn await_end(child: Option<Pid>) -> Result<(), Failure> {
    waitpid(child, WaitOptions::empty()).map_err(at("wait for the probes"))?;
    Ok(())
}

fn answer_probe(
    plan: &ProbePlan,
    share: Share,
    confined: Option<&Identities>,
    [tell, wait]: [OwnedFd; 2],
) -> io::Result<()> {
    let ready = confined.map_or(Ok(()), |identities| {
        let user = identities.user();
        confine(identities.namespace(), Identity { uid: user.uid, gid: user.gid }, None)
    });
    keep_only(&[tell.as_fd(), wait.as_fd()]);
    // Pid 1, which would say so, is gone.
    if rustix::io::read(&wait, &mut [0; 1])? == 0 {
        return Ok(());
    }
    let mut line = serde_json::to_vec(&ready.map(|()| probe::run(plan, share)))?;
    line.push(b'\n');
    File::from(tell).write_all(&line)
}

/// Closes what the child inherited and has no use for. What can't be closed was closed before.
pub(super) fn keep_only(kept: &[BorrowedFd<'_>]) {
    let _ = sys::close_all_but(kept);
}

/// The line ends the answer, not the end of file, which comes only when the child is gone.
fn read_line(from: OwnedFd) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(File::from(from)).read_until(b'\n', &mut line)?;
    Ok(line)
}
