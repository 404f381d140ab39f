//! Does a log continue what an attestation began?

use crate::predicate::WORKLOAD_IDENTITY;
use crate::verify::{LogReport, RunReport, Verified};

/// Why an attestation and a log do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// No run of the log names this attestation.
    #[error("no run of this log names this attestation")]
    NoRun,
    /// More than one run names it.
    #[error("more than one run of this log names this attestation")]
    Reused,
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
    /// It started before the attestation was issued, or when it had expired.
    #[error("the run that names this attestation started when it was not valid")]
    OutsideValidity,
}

/// The run of a log that started behind this attestation.
pub fn bind<'r>(attestation: &Verified, log: &'r LogReport) -> Result<&'r RunReport, BindingError> {
    let mut runs = log.runs.iter().filter(|run| run.start.attestation == attestation.digest());
    let run = runs.next().ok_or(BindingError::NoRun)?;
    if runs.next().is_some() {
        return Err(BindingError::Reused);
    }
    agree(attestation, run).map(|()| run)
}

fn agree(attestation: &Verified, run: &RunReport) -> Result<(), BindingError> {
    let said = attestation.predicate();
    if said.run != run.start.run {
        return Err(BindingError::OtherRun);
    }
    if said.mode != run.start.mode {
        return Err(BindingError::OtherMode);
    }
    if attestation.subjects().policy != run.start.policy {
        return Err(BindingError::OtherPolicy);
    }
    let measured = said.facts.get(WORKLOAD_IDENTITY).map(|fact| &fact.value);
    if measured != serde_json::to_value(run.start.workload).ok().as_ref() {
        return Err(BindingError::OtherWorkload);
    }
    let valid = said.issued <= run.started && run.started < said.expires;
    if valid { Ok(()) } else { Err(BindingError::OutsideValidity) }
}
