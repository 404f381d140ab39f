//! Who may resolve and dial? Whoever holds a [`Permit`], and only a recorded allow makes one.

use std::future::Future;

use bottle_policy::{Reason, Verdict};

use crate::{Attempt, Outcome, Refusal};

/// Where decisions and outcomes are written, durably and in order: the supervisor's log.
pub trait Ledger: Send + Sync {
    /// Writes the decision entry. For an allow it returns only when the entry is sealed and on disk.
    fn decided(&self, attempt: &Attempt, verdict: &Verdict) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Writes the outcome entry.
    fn ended(&self, outcome: Outcome) -> impl Future<Output = ()> + Send;
}

/// The decision could not be recorded, which denies it.
#[derive(Debug, thiserror::Error)]
#[error("the decision could not be recorded: {0}")]
pub struct LedgerError(pub String);

/// The right to resolve and dial one destination once. Only [`record`] makes it, after the ledger acknowledged the allow.
#[derive(Debug)]
pub struct Permit {
    attempt: Attempt,
}

impl Permit {
    /// What it allows.
    pub fn attempt(&self) -> &Attempt {
        &self.attempt
    }
}

/// Records the verdict, whatever it is, and turns an acknowledged allow into a permit. Everything else is a refusal.
pub async fn record(ledger: &impl Ledger, attempt: &Attempt, verdict: Verdict) -> Result<Permit, Refusal> {
    // Peek is an answer to bytes not yet seen; where no more will come it is a no.
    let verdict = match verdict {
        Verdict::Peek => Verdict::Deny(Reason::Unparsable),
        settled => settled,
    };
    ledger.decided(attempt, &verdict).await.map_err(Refusal::unavailable)?;
    match verdict {
        Verdict::Allow(_) => Ok(Permit { attempt: attempt.clone() }),
        Verdict::Deny(reason) => Err(Refusal::denied(reason, "")),
        Verdict::Escalate(_) => Err(Refusal::denied(Reason::Escalation, "approvals are off")),
        Verdict::Peek => Err(Refusal::denied(Reason::Unparsable, "")),
    }
}
