//! Why is there no airlock, and what to do about it?

use std::io;

use bottle_netns::airlock::FlattenError;
use bottle_netns::survey::SurveyError;

use crate::adopt::KeeperError;
use crate::cgroups::LimitError;
use crate::init::message::Failure;
use crate::roles::SpawnError;
use crate::supervisor::ledger::LedgerError;

/// Why there is no airlock.
#[derive(Debug, thiserror::Error)]
pub enum RealizeError {
    /// A process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Nobody is there who would end a container without its supervisor.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// The log can't be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The namespaces could not be built.
    #[error("cannot build the airlock: {}", why.join(": "))]
    Build {
        /// The chain of errors, outermost first.
        why: Vec<String>,
        /// What to do.
        hint: Option<String>,
    },
    /// What the builder handed over is incomplete.
    #[error("the builder handed over an incomplete airlock")]
    Incomplete(#[from] FlattenError),
    /// A helper said nothing, or something else than it should.
    #[error("the {who} did not start")]
    Helper {
        /// Which one.
        who: &'static str,
        /// What was seen of it.
        source: io::Error,
    },
    /// The namespaces could not be read back.
    #[error("cannot measure the namespaces")]
    Survey(#[from] SurveyError),
    /// A limit can't be set.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Init could not prepare the workload.
    #[error(transparent)]
    Init(#[from] Failure),
    /// Something of our own failed.
    #[error("cannot {step}")]
    Step {
        /// Which step.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl RealizeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            RealizeError::Spawn(SpawnError::NotDispatched) => {
                Some("call bottle_runtime::dispatch() first in main".into())
            }
            RealizeError::Ledger(error) => {
                Some(error.hint().unwrap_or_else(|| "give another file with --audit".into()))
            }
            RealizeError::Build { hint: Some(hint), .. } => Some(hint.clone()),
            RealizeError::Limit(error) => error.hint(),
            RealizeError::Init(failure) => failure.hint.clone(),
            RealizeError::Build { .. } | RealizeError::Helper { .. } => {
                Some("`bottle doctor` tells what this host lacks".into())
            }
            _ => None,
        }
    }
}
