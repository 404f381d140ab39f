//! Is a log whole, and what runs does it hold?

use std::io::{self, BufRead};

use crate::audit::{Entry, Line, LogError, LogProblem, MAX_LINE, Piece, Step, Walk, next_piece};
use crate::digest::Digest;
use crate::key::PublicKey;
use crate::verify::{Head, LogReport, Renewal, RunReport, Tear};

/// Verifies a log: nothing was changed, every line is sealed by one of these keys, every run has its end, and the
/// line that someone has seen is in it, if one is given.
pub fn verify_log(reader: impl BufRead, keys: &[PublicKey], seen: Option<Head>) -> Result<LogReport, LogError> {
    verify_segments([Ok(reader)], keys, seen)
}

/// The same of a log of several files, in their order. Each is opened when the one before was read.
pub fn verify_segments<R: BufRead>(
    files: impl IntoIterator<Item = io::Result<R>>,
    keys: &[PublicKey],
    seen: Option<Head>,
) -> Result<LogReport, LogError> {
    let report = examine_segments(files, keys, seen)?;
    report.whole().map(|()| report)
}

/// Verifies that nothing in a log was changed, and reports what it holds, though its end may be missing.
pub fn examine_log(reader: impl BufRead, keys: &[PublicKey], seen: Option<Head>) -> Result<LogReport, LogError> {
    examine_segments([Ok(reader)], keys, seen)
}

/// The same of a log of several files, in their order. Each is opened when the one before was read.
pub fn examine_segments<R: BufRead>(
    files: impl IntoIterator<Item = io::Result<R>>,
    keys: &[PublicKey],
    seen: Option<Head>,
) -> Result<LogReport, LogError> {
    let mut examiner = Examiner::new(Walk::new(keys), seen);
    for file in files {
        if let Some(what) = examiner.walk.is_without_beginning() {
            return Err(examiner.walk.error(what));
        }
        examiner.walk.begin_file();
        examiner.file(file)?;
    }
    examiner.walk.pass_over_empty_file();
    examiner.report()
}

/// Verifies that nothing in these lines of a log, the first of which begins a run, was changed, and reports what they hold. What
/// came before them is vouched for by the seals.
pub(crate) fn examine_run(lines: &[String], keys: &[PublicKey]) -> Result<LogReport, LogError> {
    let first = lines.first().ok_or(LogError::at(1, LogProblem::Empty))?;
    let first = Line::from_bytes(first.as_bytes()).map_err(|error| LogError::at(1, error.into()))?;
    let before = first.seq.checked_sub(1).ok_or(LogError::at(1, LogProblem::Sequence(1)))?;
    if before == 0 && first.prev != Digest::ZERO {
        return Err(LogError::of(1, &first, LogProblem::Broken));
    }
    let mut examiner = Examiner::new(Walk::after(before, first.prev, keys), None);
    lines.iter().try_for_each(|line| match line.len() {
        0..=MAX_LINE => examiner.line(line.as_bytes()),
        _ => Err(LogError::at(examiner.walk.next_line(), LogProblem::TooLong)),
    })?;
    examiner.report()
}

struct Examiner<'k> {
    walk: Walk<'k>,
    seen: Option<Head>,
    unsealed: Option<u64>,
    tears: Vec<Tear>,
    runs: Vec<RunReport>,
}

impl<'k> Examiner<'k> {
    fn new(walk: Walk<'k>, seen: Option<Head>) -> Examiner<'k> {
        Examiner { walk, seen, unsealed: None, tears: Vec::new(), runs: Vec::new() }
    }

    fn file(&mut self, file: io::Result<impl BufRead>) -> Result<(), LogError> {
        let unreadable = |walk: &Walk<'_>, error: io::Error| walk.error(LogProblem::Unreadable(error.to_string()));
        let mut file = file.map_err(|error| unreadable(&self.walk, error))?;
        let mut buffer = Vec::new();
        loop {
            match next_piece(&mut file, &mut buffer).map_err(|error| unreadable(&self.walk, error))? {
                Piece::Line => self.line(&buffer)?,
                Piece::Torn => return Err(self.walk.error(LogProblem::Torn)),
                Piece::TooLong => return Err(self.walk.error(LogProblem::TooLong)),
                Piece::End => return Ok(()),
            }
        }
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        let step = self.walk.take(bytes)?;
        let hash = self.walk.chain().head();
        if self.seen.is_some_and(|seen| seen.seq == step.number && seen.hash != hash) {
            let seq = Some(step.line.seq);
            return Err(LogError { line: step.number, seq, ..self.walk.error(LogProblem::HeadMissing(step.number)) });
        }
        self.note(step);
        Ok(())
    }

    fn note(&mut self, Step { number, line, closed }: Step) {
        self.unsealed = match line.entry {
            Entry::Seal(_) => None,
            _ => self.unsealed.or(Some(number)),
        };
        if let (Some(closed), Some(run)) = (&closed, self.runs.last_mut()) {
            run.read(closed);
        }
        match (line.entry, self.runs.last_mut()) {
            (Entry::RunStart(start), _) => {
                self.runs.push(RunReport::new(number, self.walk.segment(), line.time, start))
            }
            (Entry::Torn(torn), _) => {
                self.tears.push(Tear { line: number, torn });
                self.runs.iter_mut().for_each(|run| run.torn(number - torn.unsealed));
            }
            (Entry::RunRenew(renewed), Some(run)) => {
                run.renewals.push(Renewal { line: number, time: line.time, renewed })
            }
            (Entry::Drift(_), Some(run)) => run.drifts.push(number),
            (Entry::RunEnd(end), Some(run)) => run.end(line.time, end),
            _ => {}
        }
    }

    fn report(mut self) -> Result<LogReport, LogError> {
        let chain = self.walk.chain();
        let lines = chain.seq();
        if lines == 0 {
            return Err(self.walk.error(LogProblem::Empty));
        }
        if let Some(seen) = self.seen.filter(|seen| seen.seq == 0 || seen.seq > lines) {
            return Err(self.walk.error(LogProblem::HeadMissing(seen.seq)));
        }
        if let (Some(open), Some(run)) = (chain.order().run(), self.runs.last_mut()) {
            run.read(open);
        }
        let head = Head { seq: lines, hash: chain.head() };
        Ok(LogReport {
            segments: self.walk.segment(),
            lines,
            head,
            unsealed: self.unsealed,
            tears: self.tears,
            runs: self.runs,
        })
    }
}
