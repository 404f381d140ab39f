//! Does a log continue what an attestation began?

use crate::predicate::WORKLOAD_IDENTITY;
use crate::verify::{LogReport, Named, RunReport, Verified};

/// Why an attestation and a log do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// No run of the log names this attestation.
    #[error("no run of this log names this attestation")]
    NoRun,
    /// More than one run names it.
    #[error("more than one run of this log names this attestation")]
    Reused,
    /// It is of a start, and named as one of a bottle that runs, or the other way round.
    #[error("the line that names this attestation is about another stage of the run")]
    OtherStage,
    /// The run's id is another.
    #[error("the run that names this attestation has another id")]
    OtherRun,
    /// The run's mode is another.
    #[error("the run that names this attestation has another mode")]
    OtherMode,
    /// The run's policy is another.
    #[error("the run that names this attestation has another policy")]
    OtherPolicy,
    /// The workload that was measured is another.
    #[error("the run that names this attestation started another workload than the one that was measured")]
    OtherWorkload,
    /// It was attested again for another nonce.
    #[error("the line that names this attestation has another nonce")]
    OtherNonce,
    /// The line is from before the attestation was issued, or from when it had expired.
    #[error("the line that names this attestation was written when it was not valid")]
    OutsideValidity,
}

/// The run of a log that started behind this attestation, or was attested by it while it went on.
pub fn bind<'r>(attestation: &Verified, log: &'r LogReport) -> Result<&'r RunReport, BindingError> {
    let mut named = log.naming(attestation.digest());
    let first = named.next().ok_or(BindingError::NoRun)?;
    if named.next().is_some() {
        return Err(BindingError::Reused);
    }
    agree(attestation, first).map(|()| first.run)
}

fn agree(attestation: &Verified, named: Named<'_>) -> Result<(), BindingError> {
    let (said, start) = (attestation.predicate(), &named.run.start);
    if said.stage != named.stage {
        return Err(BindingError::OtherStage);
    }
    if said.run != start.run {
        return Err(BindingError::OtherRun);
    }
    if said.mode != start.mode {
        return Err(BindingError::OtherMode);
    }
    if attestation.subjects().policy != start.policy {
        return Err(BindingError::OtherPolicy);
    }
    let measured = said.facts.get(WORKLOAD_IDENTITY).map(|fact| &fact.value);
    if measured != serde_json::to_value(start.workload).ok().as_ref() {
        return Err(BindingError::OtherWorkload);
    }
    if named.nonce.is_some_and(|nonce| nonce != said.nonce) {
        return Err(BindingError::OtherNonce);
    }
    let valid = said.issued <= named.time && named.time < said.expires;
    if valid { Ok(()) } else { Err(BindingError::OutsideValidity) }
}
