//! How is a run closed in the log? By a `run.end` that says why, however far the run had come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bottle_evidence::Text;
use bottle_evidence::audit::{Ending, Opened, RunEnd};
use bottle_netns::class::Class;
use bottle_netns::counters::{CountError, Counters, counters};

use crate::airlock::Airlock;
use crate::event::Event;
use crate::plan::Plan;
use crate::report::chain;
use crate::supervisor::ledger::LedgerError;
use crate::supervisor::recorder::{Accounted, Recorder};

/// Why a run stays open in the log, which no verifier accepts.
#[derive(Debug, thiserror::Error)]
#[error("the audit log has no end for this run")]
pub struct CloseError(#[from] LedgerError);

/// Why nobody knows what was refused.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    /// A counter can't be read, or is gone.
    #[error(transparent)]
    Count(#[from] CountError),
    /// Somebody set a counter back.
    #[error("the counter {0} has less than it had")]
    Less(&'static str),
}

impl Airlock {
    /// Counts what was refused and writes the run's end. Where nobody knows the counts, the end has none, and says why.
    pub(crate) fn close(&self, exit: u8, reasons: &[&str], duration: Duration) -> Result<RunEnd, CloseError> {
        self.recorder.cut();
        let (refused, unknown) = match self.refused() {
            Ok(refused) => (refused, None),
            Err(error) => {
                (BTreeMap::new(), Some(format!("what was refused is not known: {}", chain(&error).join(": "))))
            }
        };
        let reason: Vec<&str> = reasons.iter().copied().chain(unknown.as_deref()).collect();
        let ending = Ending {
            exit,
            reason: (!reason.is_empty()).then(|| Text::new(&reason.join("; "))),
            millis: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            refused,
        };
        let end = self.recorder.ledger().end(ending)?;
        self.recorder.ledger().commit()?;
        Ok(end)
    }

    /// What the workload ran short of, as far as it was limited.
    pub(crate) fn shortages(&self) -> Vec<String> {
        self.group.as_ref().map_or(Vec::new(), |group| group.shortages())
    }

    pub(crate) fn why_init_is_gone(&self, error: &std::io::Error) -> String {
        match &self.group {
            Some(group) if group.was_starved() => "it is gone, since there was no memory left".into(),
            _ => format!("it is gone: {error}"),
        }
    }

    /// Ends all that still runs. What the run was and what is told of it are left.
    pub(crate) fn end(self) -> (Plan, Arc<Recorder>) {
        (self.plan, self.recorder)
    }

    /// Closes a run that was opened and whose workload never ran. The error that led here is the one that is returned;
    /// one more is told beside it.
    pub(crate) fn close_after(&self, error: &(dyn std::error::Error + 'static)) {
        let reason = chain(error).join(": ");
        self.close_or_warn(125, &reason, Duration::ZERO);
    }

    /// Closes a run that has failed already, so that what fails beside it is only told.
    pub(crate) fn close_or_warn(&self, exit: u8, reason: &str, duration: Duration) {
        if let Err(error) = self.close(exit, &[reason], duration) {
            self.recorder.tell(Event::Warning(chain(&error).join(": ")));
        }
    }

    /// What the packet filter counted since the probes were through, by class.
    fn refused(&self) -> Result<BTreeMap<Text, u64>, Unknown> {
        let now = counters(&self.space)?;
        rows(&self.counted_before, &now, self.recorder.accounted())
    }
}

/// What was counted between two moments, by class; and what became of the packets that opened a connection.
fn rows(before: &Counters, now: &Counters, connections: Accounted) -> Result<BTreeMap<Text, u64>, Unknown> {
    let since = |name, now: u64, before| now.checked_sub(before).ok_or(Unknown::Less(name));
    let of =
        |class: Class| since(class.name(), now.of(class), before.of(class)).map(|count| (class.name().into(), count));
    let mut rows = now.total().into_keys().map(of).collect::<Result<BTreeMap<Text, u64>, Unknown>>()?;
    let opened = since("opened", now.opened, before.opened)?;
    let Accounted { decided, answered } = connections;
    Opened { opened, answered }.add_to(&mut rows, decided);
    Ok(rows)
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
        let rows = rows(&counted(1, 2, 10), &counted(101, 22, 1010), Accounted { decided: 290, answered: 10 }).unwrap();
        assert_eq!(
            rows,
            [
                ("answered", 10),
                ("flood", 100),
                ("opened", 1000),
                ("udp4", 0),
                ("undecided", 1000 - 100 - 20 - 300),
                ("unheard", 20)
            ]
            .map(|(name, count)| (name.into(), count))
            .into()
        );
    }
    #[test]
    fn a_counter_that_was_set_back_is_no_zero() {
        let counted = |flood, opened| Counters { gate: [(Class::Flood, flood)].into(), opened, ..Counters::default() };
        let none = Accounted { decided: 0, answered: 0 };
        assert!(matches!(rows(&counted(5, 9), &counted(4, 9), none), Err(Unknown::Less("flood"))));
        assert!(matches!(rows(&counted(5, 9), &counted(5, 8), none), Err(Unknown::Less("opened"))));
        assert!(rows(&counted(5, 9), &counted(5, 9), none).is_ok());
    }
}
