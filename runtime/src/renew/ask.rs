//! Does the gate still answer from inside, while a workload runs? The role `ask`, and who sends it.
//!
//! Of the probes of a start this is the one that leaves no trace among the workload's own attempts. A process of bottle's enters the
//! agent's network namespace, and none of the workload's others, gives up all privileges, asks, and ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bottle_evidence::Digest;
use bottle_evidence::predicate::Probe;
use bottle_proxy::gate::ChallengeKey;
use nix::sched::{CloneFlags, setns};
use rustix::process::DumpableBehavior;
use serde::{Deserialize, Serialize};

use super::recheck::Unsound;
use crate::channel::Channel;
use crate::confine::{self, Identity};
use crate::probe::{self, CHALLENGE, ProbePlan};
use crate::roles::{Program, Role};
use crate::supervisor::watch::Drift;
use crate::sys;
use crate::tether::tie_to_supervisor;

/// How long the gate and the process that asks it may take together.
const PATIENCE: Duration = Duration::from_secs(20);

/// Supervisor to the process that asks. Beside it the agent's network namespace, and before that the user namespace that owns it where
/// an ordinary user's has one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    plan: ProbePlan,
    /// Whom it becomes, as root.
    become_id: Option<u32>,
}

/// What came of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum Observed {
    /// What the gate said, or what happened instead.
    Answer(String),
    /// It could not ask.
    Failed(String),
}

/// Whoever can have the gate asked.
pub(crate) struct Asker {
    pub(crate) program: Arc<Program>,
    pub(crate) agent: OwnedFd,
    pub(crate) user: Option<OwnedFd>,
    pub(crate) become_id: Option<u32>,
    pub(crate) key: [u8; 32],
}

impl Asker {
    /// Has the gate asked to answer a nonce with the run's key. A gate that gives another answer is not ours; one that gives none may be
    /// busy.
    pub(super) fn challenge(&self, nonce: Digest, entering: &RwLock<()>) -> Result<Probe, Unsound> {
        // Whoever looks for strangers waits until nobody asks.
        let _inside = entering.read().unwrap_or_else(PoisonError::into_inner);
        let question = nonce.to_string();
        let unknown = |error: io::Error| Unsound::Unknown(format!("cannot ask the gate: {error}"));
        let expected =
            ChallengeKey::new(self.key).answer(&question).ok_or_else(|| unknown(io::ErrorKind::InvalidData.into()))?;
        match self.ask(question).map_err(unknown)? {
            Observed::Answer(observed) if observed == expected => {
                Ok(Probe::new(CHALLENGE, false, &expected, &observed))
            }
            Observed::Answer(other) if other.len() == expected.len() => {
                Err(Unsound::Drift(Drift::new("gate", "it answers a challenge as another gate would")))
            }
            Observed::Answer(word) => Err(Unsound::Unknown(format!("the gate does not answer: {word}"))),
            Observed::Failed(why) => Err(unknown(io::Error::other(why))),
        }
    }

    fn ask(&self, challenge: String) -> io::Result<Observed> {
        let asking = self.program.spawn(Role::Ask).map_err(io::Error::other)?;
        let question = Question { plan: ProbePlan { challenge }, become_id: self.become_id };
        let given: Vec<_> = self.user.iter().chain([&self.agent]).map(AsFd::as_fd).collect();
        asking.channel.send(&question, &given)?;
        if !asking.channel.wait_readable(PATIENCE)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // Dropped, the process is killed and waited for: nobody is inside any more.
        Ok(asking.channel.recv::<Observed>()?.0)
    }
}

/// Is the role from beginning to end. The calling process has one thread.
pub(crate) fn main(channel: Channel) -> ! {
    let observed = answer(&channel).unwrap_or_else(|error| Observed::Failed(error.to_string()));
    // A supervisor that is gone needs no answer.
    let _ = channel.send(&observed, &[]);
    sys::exit_now(0)
}

fn answer(channel: &Channel) -> io::Result<Observed> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let (Question { plan, become_id }, mut descriptors) = channel.recv::<Question>()?;
    let agent = descriptors.pop().ok_or(io::ErrorKind::InvalidData)?;
    if let Some(user) = descriptors.pop() {
        setns(user, CloneFlags::CLONE_NEWUSER)?;
    }
    setns(agent, CloneFlags::CLONE_NEWNET)?;
    confine::asker(become_id.map(Identity::same)).map_err(io::Error::other)?;
    tie_to_supervisor(channel)?;
    Ok(Observed::Answer(probe::ask_gate(&plan)))
}
