//! What does a log hold?

use crate::audit::{HostRow, InboundRow, LogError, LogProblem, OpenRun, RunEnd, RunRenew, RunStart, Torn};
use crate::digest::Digest;
use crate::predicate::Stage;
use crate::time::Time;

/// A place in a log that someone has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The sequence number of a line.
    pub seq: u64,
    /// The hash of that line.
    pub hash: Digest,
}

/// What a log holds. Nothing in it was changed, but its end may be missing: see [`LogReport::whole`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// How many files it has.
    pub segments: u64,
    /// How many lines it has.
    pub lines: u64,
    /// Its last line.
    pub head: Head,
    /// The first line that no seal signs for, if there is one.
    pub unsealed: Option<u64>,
    /// Where it was taken up again after its writer had died.
    pub tears: Vec<Tear>,
    /// The runs, in their order.
    pub runs: Vec<RunReport>,
}

/// A place where a log was taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tear {
    /// The line that says so.
    pub line: u64,
    /// What it says.
    pub torn: Torn,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// How it began.
    pub start: RunStart,
    /// When it began.
    pub started: Time,
    /// Its first line.
    pub first: u64,
    /// The file that it begins in.
    pub segment: u64,
    /// How many lines it has, `run.start` and `run.end` and the seals between them among them.
    pub entries: u64,
    /// How many attempts have a decision and no outcome, and how many connections from outside have none.
    pub unanswered: u64,
    /// Where it was attested again while it went on.
    pub renewals: Vec<Renewal>,
    /// The lines that say that its binding no longer held.
    pub drifts: Vec<u64>,
    /// One row per host, recomputed from its entries.
    pub hosts: Vec<HostRow>,
    /// One row per published port that somebody connected to, added up from its entries.
    pub inbound: Vec<InboundRow>,
    /// Whether it has its end.
    pub completeness: Completeness,
}

/// A line by which a run was attested again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The line.
    pub line: u64,
    /// When it was written.
    pub time: Time,
    /// What it says.
    pub renewed: RunRenew,
}

/// A line that names an attestation.
#[derive(Clone, Copy, Debug)]
pub struct Named<'r> {
    /// The run that it belongs to.
    pub run: &'r RunReport,
    /// What it must be an attestation of.
    pub stage: Stage,
    /// When it was written.
    pub time: Time,
    /// The nonce that it must have, where the line says one.
    pub nonce: Option<Digest>,
}

/// Whether a run has its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It has, and its count, head and rows are right.
    Complete {
        /// When it ended.
        ended: Time,
        /// What its end says.
        end: Box<RunEnd>,
    },
    /// It has none that was sealed in its time: it still runs, its writer died, or the log was cut.
    Incomplete,
}

impl LogReport {
    /// The lines that name the attestation with this digest.
    pub fn naming(&self, attestation: Digest) -> impl Iterator<Item = Named<'_>> {
        self.runs
            .iter()
            .flat_map(RunReport::named)
            .filter(move |(named, _)| *named == attestation)
            .map(|(_, named)| named)
    }

    /// Whether all lines are sealed and all runs have their end; else the first thing that is missing.
    pub fn whole(&self) -> Result<(), LogError> {
        let incomplete = self.runs.iter().find(|run| run.completeness == Completeness::Incomplete);
        if let Some(run) = incomplete {
            let what = LogProblem::Incomplete(run.start.run.clone());
            return Err(LogError { segment: run.segment, line: run.first, seq: Some(run.first), what });
        }
        match self.unsealed {
            // The end of a file is sealed before the next one begins.
            Some(line) => Err(LogError { segment: self.segments, line, seq: Some(line), what: LogProblem::Unsealed }),
            None => Ok(()),
        }
    }
}

impl RunReport {
    /// Each attestation that it names.
    fn named(&self) -> impl Iterator<Item = (Digest, Named<'_>)> {
        let start = Named { run: self, stage: Stage::Start, time: self.started, nonce: None };
        let renewed = self.renewals.iter().map(|renewal| {
            let (time, nonce) = (renewal.time, Some(renewal.renewed.nonce));
            (renewal.renewed.attestation, Named { run: self, stage: Stage::Running, time, nonce })
        });
        std::iter::once((self.start.attestation, start)).chain(renewed)
    }

    pub(super) fn new(first: u64, segment: u64, started: Time, start: RunStart) -> RunReport {
        RunReport {
            start,
            started,
            first,
            segment,
            entries: 0,
            unanswered: 0,
            renewals: Vec::new(),
            drifts: Vec::new(),
            hosts: Vec::new(),
            inbound: Vec::new(),
            completeness: Completeness::Incomplete,
        }
    }

    pub(super) fn read(&mut self, run: &OpenRun) {
        self.entries = run.lines;
        self.unanswered = run.summary.unanswered() + run.inbound.unanswered();
        self.hosts = run.summary.rows();
        self.inbound = run.inbound.rows();
    }

    pub(super) fn end(&mut self, ended: Time, end: RunEnd) {
        self.entries += 1;
        self.completeness = Completeness::Complete { ended, end: Box::new(end) };
    }
}
