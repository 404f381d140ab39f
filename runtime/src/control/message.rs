//! What can a bottle be asked, and what does it answer?

use bottle_evidence::Digest;
use serde::{Deserialize, Serialize};

use crate::exec::ExecRequest;
use crate::signal::Signal;

/// From a client to the supervisor: one, first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Request {
    /// Send the first process a signal.
    Signal {
        /// Which.
        signal: Signal,
    },
    /// Ask the first process to end, and kill it if it does not.
    Stop {
        /// How long it may take.
        grace_seconds: u64,
    },
    /// Measure and attest the bottle again.
    Renew {
        /// What the verifier gave.
        nonce: Digest,
    },
    /// End the container whose first process comes along when the bottle ends.
    Join,
    /// Have another process in the bottle; its streams come along. What follows is between it and its client.
    Exec(ExecRequest),
}

/// From the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Answer {
    /// It was passed on.
    Done,
    /// It was attested; the attestation is in the memory beside this.
    Attested,
    /// It was not.
    Refused(Refusal),
}

/// Why a bottle did not do as it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// An exit code.
    pub code: u8,
    /// What failed.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Refusal {
    /// The bottle comes to its end.
    pub(crate) fn ending() -> Refusal {
        Refusal { code: 125, what: "the bottle is ending".to_owned(), hint: None }
    }
}
