//! Which other containers are behind a bottle's airlock, and who ends them with it? Each has a keeper of its own, and the supervisor kills
//! them with the bottle's first process.
//!
//! A container that joins a bottle's network has an engine that waits for it, and a first process of its own. What ends the bottle cuts
//! its connections; without this it would go on, with nothing that it can reach.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::keeper::Keeper;
use super::{Container, HoldError, KeeperError};
use crate::control::{Line, LineError, Refusal};
use crate::records::{Known, LivingError};
use crate::roles::{Program, Role};

/// Why a container can't be held to a bottle's end.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It can't be held.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// The bottle can't be looked at.
    #[error(transparent)]
    Living(#[from] LivingError),
    /// It can't be asked, or says no.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// Has the bottle end a container that is in its network, before its engine lets it go on. One that is among the bottle's own processes
/// ends with the first of these.
///
/// # Errors
/// [`FollowError`]: then the container must not run.
pub fn follow(known: &Known, pid: u32) -> Result<(), FollowError> {
    match Container::hold(pid, &[]) {
        Ok(container) => Ok(Line::to(known)?.join(&container)?),
        Err(HoldError::NotFirst(_)) if are_together(pid, known.living()?.workload.pid) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn are_together(one: u32, other: u32) -> bool {
    let space = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/pid"));
    space(one).is_ok_and(|one| space(other).is_ok_and(|other| one == other))
}

/// The members of one bottle.
pub(crate) struct Members {
    program: Arc<Program>,
    become_id: Option<u32>,
    /// Nothing once the bottle ends.
    held: Mutex<Option<Vec<Member>>>,
}

struct Member {
    first: OwnedFd,
    keeper: Keeper,
}

impl Members {
    pub(crate) fn new(program: Arc<Program>, become_id: Option<u32>) -> Members {
        Members { program, become_id, held: Mutex::new(Some(Vec::new())) }
    }

    /// Holds another one by its first process.
    pub(crate) fn add(&self, first: OwnedFd) -> Result<(), Refusal> {
        let keeper = self.keeper(&first).map_err(|error| Refusal {
            code: 125,
            what: crate::report::chain(&error).join(": "),
            hint: None,
        })?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_mut().ok_or_else(Refusal::ending)?;
        // Engines start containers again: those that are gone need no keeper.
        held.retain(|member| !has_ended(&member.first));
        held.push(Member { first, keeper });
        Ok(())
    }

    fn keeper(&self, first: &OwnedFd) -> Result<Keeper, KeeperError> {
        let keeper = Keeper::set_up(self.program.spawn(Role::Keeper)?, first, self.become_id)?;
        keeper.ready()?;
        keeper.hide()?;
        Ok(keeper)
    }

    /// Kills all, and holds none from now on.
    pub(crate) fn end(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        for member in held.iter().flatten() {
            // Gone is as good as killed.
            let _ = rustix::process::pidfd_send_signal(&member.first, rustix::process::Signal::KILL);
        }
    }

    /// What became of a keeper, if one does not stand by. SIGCHLD tells when to ask.
    pub(crate) fn unguarded(&self) -> Option<&'static str> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().flatten().find_map(|member| {
            let keeper = member.keeper.process();
            let gone = keeper.is_ending().then_some("it is gone");
            gone.or_else(|| keeper.was_stopped().then_some("it was stopped"))
        })
    }
}

fn has_ended(first: &OwnedFd) -> bool {
    let mut ready = [PollFd::new(first, PollFlags::IN)];
    rustix::event::poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// What came beside a request.
pub(crate) fn first_of(descriptors: Vec<OwnedFd>) -> io::Result<OwnedFd> {
    descriptors.into_iter().next().ok_or(io::ErrorKind::InvalidData.into())
}
