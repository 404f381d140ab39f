//! How is a run closed in the log? By a `run.end` that says why, however far the run had come.

use std::collections::BTreeMap;
use std::time::Duration;

use bottle_evidence::Text;
use bottle_evidence::audit::{Ending, RunEnd};
use bottle_netns::class::Class;
use bottle_netns::counters::{Counters, counters};
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
        let now = counters(&self.space)?;
        let rows = rows(&self.counted_before, &now, self.recorder.accounted());
        Ok(rows.into_iter().map(|(name, count)| (Text::new(name), count)).collect())
    }
}

/// Opening packets that never became a connection that was decided upon, and that no rule refused: the gate's queue was full,
/// one was sent again, or the run ended first.
const UNDECIDED: &str = "undecided";

/// What was counted between two moments, by class; and what of the opening packets neither a class nor a connection stands for.
fn rows(before: &Counters, now: &Counters, connections: u64) -> BTreeMap<&'static str, u64> {
    let since = |class: &Class| now.of(*class).saturating_sub(before.of(*class));
    let mut rows: BTreeMap<_, _> = now.total().keys().map(|class| (class.name(), since(class))).collect();
    let opened = now.opened.saturating_sub(before.opened);
    let refused = since(&Class::Flood) + since(&Class::Unheard);
    rows.insert(UNDECIDED, opened.saturating_sub(refused).saturating_sub(connections));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_opening_packet_is_decided_or_of_a_class_or_undecided() {
        let counted = |flood, unheard, opened| Counters {
            gate: [(Class::Flood, flood), (Class::Unheard, unheard), (Class::Udp4, 9)].into(),
            opened,
            ..Counters::default()
        };
        let rows = rows(&counted(1, 2, 10), &counted(101, 22, 1010), 300);
        assert_eq!(rows, [("flood", 100), ("udp4", 0), ("undecided", 1000 - 100 - 20 - 300), ("unheard", 20)].into());
    }
}
