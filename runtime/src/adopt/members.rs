//! Which other containers are behind a bottle's airlock, and who ends them with it? Each has a keeper of its own, and the supervisor kills
//! them with the bottle's first process.
//!
//! A container that joins a bottle's network has an engine that waits for it, and a first process of its own. What ends the bottle cuts
//! its connections; without this it would go on, with nothing that it can reach.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
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
use crate::process::{Process, Stat};
use crate::renew::{Created, Kept, Unsound};
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
/// ends with the first of these as well; what the bottle has to know of it is that its engine has not let it go on yet.
///
/// # Errors
/// [`FollowError`]: then the container must not run.
pub fn follow(joined: &Joined, made: Made) -> Result<(), FollowError> {
    let is_among = joined.shares("pid", &place(made.pid(), "pid"));
    made.is_there()?;
    if is_among {
        return Ok(Line::to(joined.known())?.join(made.pidfd.as_fd())?);
    }
    let container = Container::of(made, &[])?;
    Ok(Line::to(joined.known())?.join(container.as_fd())?)
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
    created: Created,
    keeper: Keeper,
    kept: Kept,
}

/// A container that is held, and who ends it, measured again.
pub(crate) struct Followed {
    /// Its first process.
    pub(crate) container: Workload,
    /// Whether its engine has not let it go on, so that it is the engine's runtime.
    pub(crate) is_created: bool,
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
        let held = held.as_mut().ok_or_else(Refusal::ending)?;
        held.push(member);
        // The signal that one has ended may have come before it was here.
        forget_ended(held);
        Ok(())
    }

    /// Its keeper is held to what the bottle's own is held to.
    fn member(&self, first: OwnedFd) -> Result<Member, NotHeld> {
        let (container, created) = identity(&first).map_err(NotHeld::Gone)?;
        let keeper =
            Keeper::of_member(self.program.spawn(Role::Keeper).map_err(KeeperError::from)?, &first, self.become_id)?;
        keeper.ready()?;
        let pid = keeper.process().pid();
        let found = look("keeper", pid)?;
        adopted::keeper(pid, &found, &requirements::own()?, &self.program)?;
        let kept = Kept::hidden(&keeper, found)?;
        Ok(Member { first, container, created, keeper, kept })
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
        let followed = |(member, found): (&Member, Result<_, _>)| {
            Ok(Followed { container: member.container, is_created: member.created.holds(), keeper: found? })
        };
        standing.map(followed).collect()
    }

    /// What became of a keeper, if one does not stand by. SIGCHLD tells when to ask: it also comes when one has ended with its container, and is
    /// waited for here.
    pub(crate) fn unguarded(&self) -> Option<&'static str> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_mut()?;
        forget_ended(held);
        held.iter().find_map(|member| missing(member.keeper.process(), &member.first))
    }
}

/// Their keepers, which have ended with them, are waited for.
fn forget_ended(members: &mut Vec<Member>) {
    members.retain(|member| !has_ended(&member.first));
}

/// Why a keeper does not stand by, where its container has not ended. The container is looked at last: a keeper that is gone because of it
/// has seen its end.
fn missing(keeper: &Process, first: &OwnedFd) -> Option<&'static str> {
    if keeper.is_ending() {
        return (!has_ended(first)).then_some("it is gone");
    }
    keeper.was_stopped().then_some("it was stopped")
}

/// Which process that is, before its engine lets it go on. Its number is its own if it is there afterwards.
fn identity(first: &OwnedFd) -> io::Result<(Workload, Created)> {
    let pid = pid_of(first)?;
    let created = Created::of(pid)?;
    let stat = Stat::read(pid)?.filter(|_| !has_ended(first)).ok_or(io::ErrorKind::NotFound)?;
    Ok((Workload { pid, start: stat.start }, created))
}

fn has_ended(first: &OwnedFd) -> bool {
    let mut ready = [PollFd::new(first, PollFlags::IN)];
    rustix::event::poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// What came beside a request.
pub(crate) fn first_of(descriptors: Vec<OwnedFd>) -> io::Result<OwnedFd> {
    descriptors.into_iter().next().ok_or(io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use rustix::process::{Signal, WaitId, WaitIdOptions};

    use super::*;

    fn sleeping() -> (Child, Process) {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let process = Process::of_child(child.id()).unwrap();
        (child, process)
    }

    /// Sent, and arrived: it has ended or stopped, and is not waited for.
    fn signalled(process: &Process, signal: Signal) {
        rustix::process::pidfd_send_signal(process, signal).unwrap();
        let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        rustix::process::waitid(WaitId::PidFd(process.as_fd()), options).unwrap();
    }

    #[test]
    fn a_keeper_is_missed_only_where_its_container_has_not_ended() {
        for (keeper_gets, ends, found) in [
            (None, false, None),
            (Some(Signal::STOP), false, Some("it was stopped")),
            (Some(Signal::KILL), false, Some("it is gone")),
            // Both end, and the one before the other was asked for.
            (Some(Signal::KILL), true, None),
        ] {
            let (_keeper, keeper) = sleeping();
            let (_container, container) = sleeping();
            let first = container.as_fd().try_clone_to_owned().unwrap();
            keeper_gets.into_iter().for_each(|signal| signalled(&keeper, signal));
            if ends {
                signalled(&container, Signal::KILL);
            }
            assert_eq!(missing(&keeper, &first), found, "{keeper_gets:?} {ends}");
        }
    }
}
