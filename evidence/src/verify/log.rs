//! Is a log whole, and what runs does it hold?

use std::io::BufRead;

use crate::audit::{
    Entry, HostRow, LogError, LogProblem, OpenRun, Piece, RunEnd, RunStart, Step, Torn, Walk,
    next_piece,
};
use crate::digest::Digest;
use crate::key::PublicKey;
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
    /// How many lines it has, `run.start` and `run.end` and the seals between them among them.
    pub entries: u64,
    /// How many attempts have a decision and no outcome.
    pub unanswered: u64,
    /// The lines that say that its binding no longer held.
    pub drifts: Vec<u64>,
    /// One row per host, recomputed from its entries.
    pub hosts: Vec<HostRow>,
    /// Whether it has its end.
    pub completeness: Completeness,
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
    /// It has none: it still runs, its writer died, or the log was cut.
    Incomplete,
}

impl LogReport {
    /// Whether all lines are sealed and all runs have their end; else the first thing that is missing.
    pub fn whole(&self) -> Result<(), LogError> {
        let incomplete = self
            .runs
            .iter()
            .find(|run| run.completeness == Completeness::Incomplete);
        if let Some(run) = incomplete {
            let what = LogProblem::Incomplete(run.start.run.clone());
            return Err(LogError {
                line: run.first,
                seq: Some(run.first),
                what,
            });
        }
        match self.unsealed {
            Some(line) => Err(LogError {
                line,
                seq: Some(line),
                what: LogProblem::Unsealed,
            }),
            None => Ok(()),
        }
    }
}

/// Verifies a log: nothing was changed, every line is sealed by one of these keys, every run has its end, and the
/// line that someone has seen is in it, if one is given.
pub fn verify_log(
    reader: impl BufRead,
    keys: &[PublicKey],
    seen: Option<Head>,
) -> Result<LogReport, LogError> {
    let report = examine_log(reader, keys, seen)?;
    report.whole().map(|()| report)
}

/// Verifies that nothing in a log was changed, and reports what it holds, though its end may be missing.
pub fn examine_log(
    mut reader: impl BufRead,
    keys: &[PublicKey],
    seen: Option<Head>,
) -> Result<LogReport, LogError> {
    let mut examiner = Examiner {
        walk: Walk::new(keys),
        seen,
        unsealed: None,
        tears: Vec::new(),
        runs: Vec::new(),
    };
    let mut buffer = Vec::new();
    loop {
        let number = examiner.walk.next_line();
        let piece = next_piece(&mut reader, &mut buffer)
            .map_err(|error| LogError::unreadable(number, &error))?;
        match piece {
            Piece::Line => examiner.line(&buffer)?,
            Piece::Torn => return Err(LogError::at(number, LogProblem::Torn)),
            Piece::TooLong => return Err(LogError::at(number, LogProblem::TooLong)),
            Piece::End => return examiner.report(),
        }
    }
}

struct Examiner<'k> {
    walk: Walk<'k>,
    seen: Option<Head>,
    unsealed: Option<u64>,
    tears: Vec<Tear>,
    runs: Vec<RunReport>,
}

impl Examiner<'_> {
    fn line(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        let step = self.walk.take(bytes)?;
        let hash = self.walk.chain().head();
        if self
            .seen
            .is_some_and(|seen| seen.seq == step.number && seen.hash != hash)
        {
            return Err(LogError::of(
                step.number,
                &step.line,
                LogProblem::HeadMissing(step.number),
            ));
        }
        self.note(step);
        Ok(())
    }

    fn note(
        &mut self,
        Step {
            number,
            line,
            closed,
        }: Step,
    ) {
        self.unsealed = match line.entry {
            Entry::Seal(_) => None,
            _ => self.unsealed.or(Some(number)),
        };
        if let (Some(closed), Some(run)) = (&closed, self.runs.last_mut()) {
            run.read(closed);
        }
        match (line.entry, self.runs.last_mut()) {
            (Entry::RunStart(start), _) => self.runs.push(RunReport::new(number, line.time, start)),
            (Entry::Torn(torn), _) => self.tears.push(Tear { line: number, torn }),
            (Entry::Drift(_), Some(run)) => run.drifts.push(number),
            (Entry::RunEnd(end), Some(run)) => run.end(line.time, end),
            _ => {}
        }
    }

    fn report(mut self) -> Result<LogReport, LogError> {
        let chain = self.walk.chain();
        let lines = chain.seq();
        if lines == 0 {
            return Err(LogError::at(1, LogProblem::Empty));
        }
        if let Some(seen) = self.seen.filter(|seen| seen.seq == 0 || seen.seq > lines) {
            return Err(LogError::at(lines + 1, LogProblem::HeadMissing(seen.seq)));
        }
        if let (Some(open), Some(run)) = (chain.order().run(), self.runs.last_mut()) {
            run.read(open);
        }
        let head = Head {
            seq: lines,
            hash: chain.head(),
        };
        Ok(LogReport {
            lines,
            head,
            unsealed: self.unsealed,
            tears: self.tears,
            runs: self.runs,
        })
    }
}

impl RunReport {
    fn new(first: u64, started: Time, start: RunStart) -> RunReport {
        RunReport {
            start,
            started,
            first,
            entries: 0,
            unanswered: 0,
            drifts: Vec::new(),
            hosts: Vec::new(),
            completeness: Completeness::Incomplete,
        }
    }

    fn read(&mut self, run: &OpenRun) {
        self.entries = run.lines;
        self.unanswered = run.summary.unanswered();
        self.hosts = run.summary.rows();
    }

    fn end(&mut self, ended: Time, end: RunEnd) {
        self.entries += 1;
        self.completeness = Completeness::Complete {
            ended,
            end: Box::new(end),
        };
    }
}
