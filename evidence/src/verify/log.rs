//! Is a log whole, and what runs does it hold?

use std::io::BufRead;

use crate::audit::{Entry, LogError, LogProblem, Piece, Step, Walk, next_piece};
use crate::key::PublicKey;
use crate::verify::{Head, LogReport, RunReport, Tear};

/// Verifies a log: nothing was changed, every line is sealed by one of these keys, every run has its end, and the
/// line that someone has seen is in it, if one is given.
pub fn verify_log(reader: impl BufRead, keys: &[PublicKey], seen: Option<Head>) -> Result<LogReport, LogError> {
    let report = examine_log(reader, keys, seen)?;
    report.whole().map(|()| report)
}

/// Verifies that nothing in a log was changed, and reports what it holds, though its end may be missing.
pub fn examine_log(mut reader: impl BufRead, keys: &[PublicKey], seen: Option<Head>) -> Result<LogReport, LogError> {
    let mut examiner = Examiner { walk: Walk::new(keys), seen, unsealed: None, tears: Vec::new(), runs: Vec::new() };
    let mut buffer = Vec::new();
    loop {
        let number = examiner.walk.next_line();
        let piece = next_piece(&mut reader, &mut buffer).map_err(|error| LogError::unreadable(number, &error))?;
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
        if self.seen.is_some_and(|seen| seen.seq == step.number && seen.hash != hash) {
            return Err(LogError::of(step.number, &step.line, LogProblem::HeadMissing(step.number)));
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
            (Entry::RunStart(start), _) => self.runs.push(RunReport::new(number, line.time, start)),
            (Entry::Torn(torn), run) => {
                self.tears.push(Tear { line: number, torn });
                run.into_iter().for_each(|run| run.torn(number - torn.unsealed));
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
            return Err(LogError::at(1, LogProblem::Empty));
        }
        if let Some(seen) = self.seen.filter(|seen| seen.seq == 0 || seen.seq > lines) {
            return Err(LogError::at(lines + 1, LogProblem::HeadMissing(seen.seq)));
        }
        if let (Some(open), Some(run)) = (chain.order().run(), self.runs.last_mut()) {
            run.read(open);
        }
        let head = Head { seq: lines, hash: chain.head() };
        Ok(LogReport { lines, head, unsealed: self.unsealed, tears: self.tears, runs: self.runs })
    }
}
