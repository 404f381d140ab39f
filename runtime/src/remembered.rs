//! What is remembered of a run that is over? How it ended, unless it never ran.

use crate::clock;
use crate::outcome::{Outcome, Status};
use crate::records::{End, Own};
use crate::report::chain;
use crate::run::RunError;
use crate::workload::WorkloadError;

/// Puts it down in the run's record.
pub(crate) fn remember(record: Own, outcome: &Result<Outcome, RunError>) {
    let end = |code, signal, reason| End { code, signal, reason, ended: clock::now() };
    let end = match outcome {
        // Dropped, the record is removed.
        Err(RunError::Workload(WorkloadError::Init(_))) => return,
        Err(error) => end(error.exit_code(), None, Some(chain(error).join(": "))),
        Ok(outcome) => {
            let signal = if let Status::Signalled(number) = outcome.status { Some(number) } else { None };
            end(outcome.status.code(), signal, outcome.reason.clone())
        }
    };
    // Without an end it is lost, which it would be after a crash, too. Nobody listens any more.
    let _ = record.end(&end);
}
