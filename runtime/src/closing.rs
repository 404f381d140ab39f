//! How is a run closed in the log? By a `run.end` that says why, however far the run had come.

use std::collections::BTreeMap;
use std::time::Duration;

use bottle_evidence::Text;
use bottle_evidence::audit::{Ending, RunEnd};
use bottle_netns::counters::counters;
use bottle_netns::survey::SurveyError;

use crate::airlock::Airlock;
use crate::event::Event;
use crate::report::chain;
use crate::supervisor::ledger::LedgerError;

/// Why a run stays open in the log, which no verifier accepts.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// What was refused can't be counted, and `run.end` says nothing that is not so.
    #[error("cannot count what was refused, so the audit log has no end for this run")]
    Uncounted(#[from] SurveyError),
    /// The run could not be closed in the log.
    #[error("the audit log has no end for this run")]
    Ledger(#[from] LedgerError),
}

impl Airlock {
    /// Counts what was refused and writes the run's end.
    pub(crate) fn close(&self, exit: u8, reason: Option<&str>, duration: Duration) -> Result<RunEnd, CloseError> {
        self.recorder.cut();
        let ending = Ending {
            exit,
            reason: reason.map(Text::new),
            millis: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            refused: self.refused()?,
        };
        let end = self.recorder.ledger().end(ending)?;
        self.recorder.ledger().commit()?;
        Ok(end)
    }

    /// Closes a run that was opened and whose workload never ran. The error that led here is the one that is returned;
    /// one more is told beside it.
    pub(crate) fn close_after(&self, error: &(dyn std::error::Error + 'static)) {
        let reason = chain(error).join(": ");
        if let Err(error) = self.close(125, Some(&reason), Duration::ZERO) {
            self.recorder.tell(Event::Warning(chain(&error).join(": ")));
        }
    }

    /// What the packet filter counted since the probes were through, by class.
    fn refused(&self) -> Result<BTreeMap<Text, u64>, SurveyError> {
        let counted = counters(&self.space)?.total();
        let before = |class| self.refused_before.get(class).copied().unwrap_or(0);
        let rows = counted.iter().map(|(class, count)| (Text::new(class.name()), count.saturating_sub(before(class))));
        Ok(rows.collect())
    }
}
