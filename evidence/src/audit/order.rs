//! Which entry may follow which? The one table of rules that the writer keeps and the verifier demands.

use std::collections::HashSet;

use crate::audit::opened;
use crate::audit::spans::Spans;
use crate::audit::{
    Decision, Entry, HostRow, InboundSummary, OrderError, Outcome, RunEnd, RunStart, Segment, Summary, Torn,
};
use crate::digest::Digest;
use crate::text::Text;

/// Where a log stands: what may come next.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    open: Option<OpenRun>,
    runs: HashSet<Text>,
    unsealed: u64,
    /// The last file that was begun; not known where the log is not read from its beginning.
    segment: Option<u64>,
}

/// The run that is open.
#[derive(Clone, Debug)]
pub(crate) struct OpenRun {
    /// How it began.
    pub(crate) start: RunStart,
    /// How many lines it has so far.
    pub(crate) lines: u64,
    /// What it did with each host so far.
    pub(crate) summary: Summary,
    /// What came in to its published ports so far.
    pub(crate) inbound: InboundSummary,
    /// Whether its binding was said to hold no more.
    drifted: bool,
    attempts: Spans,
    decisions: u64,
}

impl Order {
    /// Of a log from its beginning, or of one that is gone on with anywhere.
    pub(crate) fn new(segment: Option<u64>) -> Order {
        Order { open: None, runs: HashSet::new(), unsealed: 0, segment }
    }

    /// The number of the file that comes next, where it is known.
    pub(crate) fn next_segment(&self) -> Option<u64> {
        self.segment.map(|segment| segment + 1)
    }

    /// The run that is open, if one is.
    pub(crate) fn run(&self) -> Option<&OpenRun> {
        self.open.as_ref()
    }

    /// How many lines no seal has signed for yet.
    pub(crate) fn unsealed(&self) -> u64 {
        self.unsealed
    }

    /// Whether this entry may come next, after a line with this hash. Changes nothing.
    pub(crate) fn check(&self, prev: Digest, entry: &Entry) -> Result<(), OrderError> {
        match entry {
            Entry::RunStart(start) => self.check_start(start),
            Entry::Torn(torn) => self.check_torn(torn),
            Entry::Segment(segment) => self.check_segment(segment),
            Entry::Seal(_) if self.unsealed == 0 => Err(OrderError::NothingToSeal),
            Entry::Seal(_) => Ok(()),
            Entry::Decision(decision) => self.open()?.check_decision(decision),
            Entry::Outcome(outcome) => self.open()?.check_outcome(outcome),
            Entry::Inbound(begun) => self.open()?.inbound.check_begun(begun),
            Entry::InboundOutcome(outcome) => self.open()?.inbound.check_ended(outcome),
            Entry::RunEnd(end) => self.open()?.check_end(prev, end),
            Entry::RunRenew(_) if self.open()?.drifted => Err(OrderError::RenewedAfterDrift),
            Entry::DnsDenied(_) | Entry::Refused(_) | Entry::RunExec(_) | Entry::RunRenew(_) | Entry::Drift(_) => {
                self.open().map(|_| ())
            }
        }
    }

    /// Takes note of an entry that passed [`Order::check`]. Returns the run that is no longer open after it.
    pub(crate) fn note(&mut self, entry: &Entry) -> Option<OpenRun> {
        self.unsealed = if matches!(entry, Entry::Seal(_)) { 0 } else { self.unsealed + 1 };
        match entry {
            Entry::RunEnd(_) | Entry::Torn(_) => return self.open.take(),
            Entry::RunStart(start) => {
                self.runs.insert(start.run.clone());
                self.open = Some(OpenRun::new(start.clone()));
            }
            Entry::Segment(segment) => self.segment = Some(segment.number),
            _ => {}
        }
        if let Some(run) = &mut self.open {
            run.note(entry);
        }
        None
    }

    fn open(&self) -> Result<&OpenRun, OrderError> {
        self.open.as_ref().ok_or(OrderError::OutsideRun)
    }

    fn check_start(&self, start: &RunStart) -> Result<(), OrderError> {
        if self.open.is_some() {
            return Err(OrderError::RunInsideRun);
        }
        if self.runs.contains(&start.run) { Err(OrderError::RunRepeated) } else { Ok(()) }
    }

    fn check_segment(&self, segment: &Segment) -> Result<(), OrderError> {
        if self.unsealed > 0 {
            return Err(OrderError::SegmentUnsealed);
        }
        match self.next_segment().unwrap_or(segment.number.max(2)) {
            next if next == segment.number => Ok(()),
            next => Err(OrderError::WrongSegment { said: segment.number, counted: next }),
        }
    }

    fn check_torn(&self, torn: &Torn) -> Result<(), OrderError> {
        let (said, counted) = (torn.unsealed, self.unsealed);
        if said == counted { Ok(()) } else { Err(OrderError::WrongUnsealed { said, counted }) }
    }
}

impl OpenRun {
    /// About how many bytes it takes to remember it.
    pub(crate) fn weight(&self) -> usize {
        self.summary.weight() + self.inbound.weight() + self.attempts.weight()
    }

    /// About how many bytes its rows take, which stay when it is over.
    pub(crate) fn weight_of_rows(&self) -> usize {
        self.summary.weight_of_rows()
    }

    fn new(start: RunStart) -> OpenRun {
        OpenRun {
            start,
            lines: 0,
            summary: Summary::default(),
            inbound: InboundSummary::default(),
            drifted: false,
            attempts: Spans::default(),
            decisions: 0,
        }
    }

    fn check_decision(&self, decision: &Decision) -> Result<(), OrderError> {
        let attempt = decision.attempt;
        if self.attempts.contains(attempt) {
            return Err(OrderError::DecisionRepeated(attempt));
        }
        if decision.policy == self.start.policy { Ok(()) } else { Err(OrderError::OtherPolicy(attempt)) }
    }

    fn check_outcome(&self, outcome: &Outcome) -> Result<(), OrderError> {
        let attempt = outcome.attempt;
        if self.summary.is_open(attempt) {
            if outcome.is_counted() { Ok(()) } else { Err(OrderError::Uncounted(attempt)) }
        } else if self.attempts.contains(attempt) {
            Err(OrderError::OutcomeRepeated(attempt))
        } else {
            Err(OrderError::OutcomeWithoutDecision(attempt))
        }
    }

    fn check_end(&self, prev: Digest, end: &RunEnd) -> Result<(), OrderError> {
        let (said, counted) = (end.count, self.lines);
        if said != counted {
            return Err(OrderError::WrongCount { said, counted });
        }
        if end.head != prev {
            return Err(OrderError::WrongHead);
        }
        if end.command != self.start.command {
            return Err(OrderError::OtherCommand);
        }
        let rows = self.summary.rows();
        if end.hosts != rows {
            return Err(OrderError::WrongHosts(first_difference(&end.hosts, &rows)));
        }
        opened::check(&end.refused, self.decisions)
    }

    fn note(&mut self, entry: &Entry) {
        self.lines += 1;
        match entry {
            Entry::Decision(decision) => {
                self.attempts.insert(decision.attempt);
                self.decisions += 1;
                self.summary.decided(decision);
            }
            Entry::Outcome(outcome) => self.summary.ended(outcome),
            Entry::Inbound(begun) => self.inbound.begun(begun),
            Entry::InboundOutcome(outcome) => self.inbound.ended(outcome),
            Entry::DnsDenied(denied) => self.summary.dns_denied(denied),
            Entry::Drift(_) => self.drifted = true,
            _ => {}
        }
    }
}

fn first_difference(said: &[HostRow], counted: &[HostRow]) -> Option<usize> {
    said.iter().zip(counted).position(|(one, other)| one != other)
}
