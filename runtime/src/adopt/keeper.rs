//! Who ends a container whose supervisor is gone? The keeper: it can send SIGKILL to the container's first process, nothing else and to
//! nobody else, and does so when its line to the supervisor ends. That of a container that joined ends with that container.
//!
//! It hears one thing on that line, that it was measured, and asks nobody. Root's keeps CAP_KILL, without which it could not; an ordinary user's has the
//! power of the user over what is the user's.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{DumpableBehavior, Signal};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::confine::{self, Identity};
use crate::process::Process;
use crate::report::chain;
use crate::roles::{RoleProcess, SpawnError};
use crate::sys;

/// How long it may take to be in its place.
const PATIENCE: Duration = Duration::from_secs(30);

/// Supervisor to keeper, once; beside it the pidfd of the container's first process.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keep {
    /// Whom it becomes, as root.
    become_id: Option<u32>,
    /// Whether nobody needs it any more when the container has ended. The bottle's own stays as long as the supervisor.
    ends_with_it: bool,
}

/// Supervisor to keeper, once: it was measured.
#[derive(Serialize, Deserialize)]
struct Measured;

/// Keeper to supervisor.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum FromKeeper {
    /// It can do nothing else any more.
    Ready,
    /// Nobody can look into it any more.
    Hidden,
    /// It could not come to that.
    Failed(Vec<String>),
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// It could not be executed.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It says nothing.
    #[error("the process that would end the container without its supervisor is not in its place")]
    Silent(#[from] io::Error),
    /// It has said why.
    #[error("the process that would end the container without its supervisor can't take its place: {0}")]
    Failed(String),
}

/// The keeper, as its supervisor holds it. Dropped, it is ended and waited for.
pub(crate) struct Keeper(RoleProcess);

impl Keeper {
    /// Tells one that was begun whom to end.
    pub(crate) fn set_up(
        keeper: RoleProcess,
        container: &impl AsFd,
        become_id: Option<u32>,
    ) -> Result<Keeper, KeeperError> {
        Keeper::told(keeper, container, Keep { become_id, ends_with_it: false })
    }

    /// The same of one for a container that joined.
    pub(crate) fn of_member(
        keeper: RoleProcess,
        container: &impl AsFd,
        become_id: Option<u32>,
    ) -> Result<Keeper, KeeperError> {
        Keeper::told(keeper, container, Keep { become_id, ends_with_it: true })
    }

    fn told(keeper: RoleProcess, container: &impl AsFd, keep: Keep) -> Result<Keeper, KeeperError> {
        keeper.channel.send(&keep, &[container.as_fd()])?;
        Ok(Keeper(keeper))
    }

    /// Waits until it is in its place.
    pub(crate) fn ready(&self) -> Result<(), KeeperError> {
        self.says(&FromKeeper::Ready)
    }

    /// Has it close itself to whoever is the same user: it was measured.
    pub(crate) fn hide(&self) -> Result<(), KeeperError> {
        self.0.channel.send(&Measured, &[])?;
        self.says(&FromKeeper::Hidden)
    }

    fn says(&self, expected: &FromKeeper) -> Result<(), KeeperError> {
        if !self.0.channel.wait_readable(PATIENCE)? {
            return Err(KeeperError::Silent(io::ErrorKind::TimedOut.into()));
        }
        match self.0.channel.recv()?.0 {
            FromKeeper::Failed(why) => Err(KeeperError::Failed(why.join(": "))),
            said if said == *expected => Ok(()),
            FromKeeper::Ready | FromKeeper::Hidden => Err(KeeperError::Silent(io::ErrorKind::InvalidData.into())),
        }
    }

    pub(crate) fn process(&self) -> &Process {
        &self.0.process
    }
}

/// Is the role from beginning to end. The calling process has one thread.
pub(crate) fn main(channel: Channel) -> ! {
    match begin(&channel) {
        Ok((container, ends_with_it)) => {
            // A supervisor that ends before it has said so ends the line.
            let _ = hide(&channel);
            wait_for_end(&channel, &container, ends_with_it);
            // Gone is as good as killed.
            let _ = rustix::process::pidfd_send_signal(&container, Signal::KILL);
        }
        // A supervisor that is gone needs no answer: the container waits for it and never runs.
        Err(error) => drop(channel.send(&FromKeeper::Failed(chain(&error)), &[])),
    }
    sys::exit_now(0)
}

fn begin(channel: &Channel) -> io::Result<(OwnedFd, bool)> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let (Keep { become_id, ends_with_it }, mut descriptors) = channel.recv::<Keep>()?;
    let container = descriptors.pop().ok_or(io::ErrorKind::InvalidData)?;
    confine::keeper(become_id.map(Identity::same), container.as_raw_fd()).map_err(io::Error::other)?;
    // To be measured. It is in no namespace that a container sees.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    channel.send(&FromKeeper::Ready, &[])?;
    Ok((container, ends_with_it))
}

/// When it was measured, nobody but the host's root may look into it or take it over, whoever it is.
fn hide(channel: &Channel) -> io::Result<()> {
    let (Measured, _) = channel.recv::<Measured>()?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    channel.send(&FromKeeper::Hidden, &[])
}

/// The supervisor has nothing more to say: whatever comes is its end, or that of the container.
fn wait_for_end(channel: &Channel, container: &OwnedFd, or_its: bool) {
    let mut ends = [PollFd::new(channel, PollFlags::IN), PollFd::new(container, PollFlags::IN)];
    let heard = if or_its { &mut ends[..] } else { &mut ends[..1] };
    while rustix::event::poll(heard, None) == Err(rustix::io::Errno::INTR) {}
}
