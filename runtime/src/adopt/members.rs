//! Which other containers are behind a bottle's airlock, and who ends them with it? Each has a keeper of its own, and the supervisor kills
//! them with the bottle's first process.
//!
//! A container that joins a bottle's network has an engine that waits for it, and a first process of its own. What ends the bottle cuts
//! its connections; without this it would go on, with nothing that it can reach.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use bottle_evidence::audit::Workload;
use rustix::event::{PollFd, PollFlags, Timespec};

use super::keeper::Keeper;
use super::{Container, HoldError, KeeperError, Made};
use crate::attest::process::ProcessFacts;
use crate::attest::requirements::{self, look};
use crate::attest::{AttestError, adopted};
use crate::control::{Line, LineError, Refusal};
use crate::hook::{Joined, place};
use crate::init::message::pid_of;
use crate::process::Stat;
use crate::renew::{Kept, Unsound};
use crate::roles::{Program, Role};

/// Why a container can't be held to a bottle's end.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It can't be held.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// It can't be asked, or says no.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// Has the bottle end a container that is in its network, before its engine lets it go on. One that is among the bottle's own processes
/// ends with the first of these.
///
/// # Errors
/// [`FollowError`]: then the container must not run.
pub fn follow(joined: &Joined, made: Made) -> Result<(), FollowError> {
    let is_among = joined.shares("pid", &place(made.pid(), "pid"));
    made.is_there()?;
    match Container::of(made, &[]) {
        Ok(container) => Ok(Line::to(joined.known())?.join(&container)?),
        Err(HoldError::NotFirst(_)) if is_among => Ok(()),
        Err(error) => Err(error.into()),
    }
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
    /// The same by its number.
    container: Workload,
    keeper: Keeper,
    kept: Kept,
}

/// A container that is held, and who ends it, measured again.
pub(crate) struct Followed {
    /// Its first process.
    pub(crate) container: Workload,
    pub(crate) keeper: ProcessFacts,
}

/// Why a container is not held.
#[derive(Debug, thiserror::Error)]
enum NotHeld {
    /// It is gone.
    #[error("the container that joins has ended")]
    Gone(#[source] io::Error),
    /// Nobody would end it.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// Who would end it is not what it must be.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// It is not known what it is.
    #[error("cannot measure the process that would end the container without its supervisor")]
    Unknown(#[source] io::Error),
}

impl Members {
    pub(crate) fn new(program: Arc<Program>, become_id: Option<u32>) -> Members {
        Members { program, become_id, held: Mutex::new(Some(Vec::new())) }
    }

    /// Holds another one by its first process.
    pub(crate) fn add(&self, first: OwnedFd) -> Result<(), Refusal> {
        let member = self.member(first).map_err(|error| Refusal {
            code: 125,
            what: crate::report::chain(&error).join(": "),
            hint: None,
        })?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_mut().ok_or_else(Refusal::ending)?.push(member);
        Ok(())
    }

    /// Its keeper is held to what the bottle's own is held to.
    fn member(&self, first: OwnedFd) -> Result<Member, NotHeld> {
        let container = identity(&first).map_err(NotHeld::Gone)?;
        let keeper =
            Keeper::of_member(self.program.spawn(Role::Keeper).map_err(KeeperError::from)?, &first, self.become_id)?;
        keeper.ready()?;
        let pid = keeper.process().pid();
        adopted::keeper(pid, &look("keeper", pid)?, &requirements::own()?, &self.program)?;
        let kept = Kept::hidden(&keeper).map_err(NotHeld::Unknown)?;
        Ok(Member { first, container, keeper, kept })
    }

    /// Kills all, and holds none from now on.
    pub(crate) fn end(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        for member in held.iter().flatten() {
            // Gone is as good as killed.
            let _ = rustix::process::pidfd_send_signal(&member.first, rustix::process::Signal::KILL);
        }
    }

    /// What those are by now who would end the containers that have not ended.
    pub(crate) fn again(&self) -> Result<Vec<Followed>, Unsound> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let again = held.iter().flatten().map(|member| (member, member.kept.again()));
        // One whose container has ended ends.
        let standing = again.filter(|(member, _)| !has_ended(&member.first));
        standing.map(|(member, found)| Ok(Followed { container: member.container, keeper: found? })).collect()
    }

    /// What became of a keeper, if one does not stand by. SIGCHLD tells when to ask: it also comes when one has ended with its container, and is
    /// waited for here.
    pub(crate) fn unguarded(&self) -> Option<&'static str> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_mut()?;
        held.retain(|member| !has_ended(&member.first));
        held.iter().find_map(|member| {
            let keeper = member.keeper.process();
            let gone = keeper.is_ending().then_some("it is gone");
            gone.or_else(|| keeper.was_stopped().then_some("it was stopped"))
        })
    }
}

/// Which process that is. Its number is its own if it is there afterwards.
fn identity(first: &OwnedFd) -> io::Result<Workload> {
    let pid = pid_of(first)?;
    let stat = Stat::read(pid).filter(|_| !has_ended(first)).ok_or(io::ErrorKind::NotFound)?;
    Ok(Workload { pid, start: stat.start })
}

fn has_ended(first: &OwnedFd) -> bool {
    let mut ready = [PollFd::new(first, PollFlags::IN)];
    rustix::event::poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// What came beside a request.
pub(crate) fn first_of(descriptors: Vec<OwnedFd>) -> io::Result<OwnedFd> {
    descriptors.into_iter().next().ok_or(io::ErrorKind::InvalidData.into())
}
