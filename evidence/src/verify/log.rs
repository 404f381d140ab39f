//! Is a log whole, and what runs does it hold?

use std::io::{self, BufRead};

use crate::audit::{Entry, Line, LogError, LogProblem, MAX_LINE, OpenRun, Piece, Step, Walk, next_piece};
use crate::digest::Digest;
use crate::key::PublicKey;
use crate::verify::{Completeness, Head, LogReport, Renewal, RunReport, Tear};

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

/// What begins and ends runs, and marks them, is remembered line by line; of one that is open, what is not over yet. More bytes than
/// this of either are no log that anybody wrote, and would take this machine's memory.
const MOST_REMEMBERED: usize = 128 << 20;

struct Examiner<'k> {
    walk: Walk<'k>,
    seen: Option<Head>,
    /// How many bytes the lines have that the report repeats.
    remembered: usize,
    /// How many there may be, with what is remembered of the run that is open.
    room: usize,
    unsealed: Option<u64>,
    tears: Vec<Tear>,
    runs: Vec<RunReport>,
}

impl<'k> Examiner<'k> {
    fn new(walk: Walk<'k>, seen: Option<Head>) -> Examiner<'k> {
        Examiner {
            walk,
            seen,
            remembered: 0,
            room: MOST_REMEMBERED,
            unsealed: None,
            tears: Vec::new(),
            runs: Vec::new(),
        }
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
        self.remember(&step, bytes.len())?;
        self.note(step);
        Ok(())
    }

    fn remember(&mut self, step: &Step, bytes: usize) -> Result<(), LogError> {
        let open = self.walk.chain().order().run().map_or(0, OpenRun::weight);
        self.remembered += match step.line.entry {
            Entry::RunStart(_) | Entry::RunRenew(_) | Entry::Drift(_) | Entry::Torn(_) | Entry::RunEnd(_) => bytes,
            _ => 0,
        };
        self.remembered += step.closed.as_ref().map_or(0, OpenRun::weight_of_rows);
        if self.remembered + open <= self.room {
            return Ok(());
        }
        let why = format!("more than {} bytes of it would have to be remembered at once", self.room);
        Err(self.walk.error(LogProblem::Unreadable(why)))
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
                self.torn(number - torn.unsealed);
            }
            (Entry::RunRenew(renewed), Some(run)) => {
                run.renewals.push(Renewal { line: number, time: line.time, renewed })
            }
            (Entry::Drift(_), Some(run)) => run.drifts.push(number),
            (Entry::RunEnd(end), Some(run)) => run.end(line.time, end),
            _ => {}
        }
    }

    /// From this line on, nothing was sealed when the writer died: an end among these lines proves nothing.
    fn torn(&mut self, unsealed: u64) {
        let lost = self.runs.iter_mut().rev().take_while(|run| run.first + run.entries > unsealed);
        lost.for_each(|run| run.completeness = Completeness::Incomplete);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Chain, Choice, Decision, Ended, Ending, Outcome, Process, RunStart, Seen, Workload};
    use crate::predicate::Mode;
    use crate::time::Time;

    const ROOM: usize = 16_384;

    fn judged(log: &[u8]) -> Result<(), LogError> {
        let mut examiner = Examiner { room: ROOM, ..Examiner::new(Walk::new(&[]), None) };
        examiner.walk.begin_file();
        examiner.file(Ok(log)).map(|()| drop(examiner.report()))
    }

    fn is_too_much(said: Result<(), LogError>) -> bool {
        said.is_err_and(|error| matches!(&error.what, LogProblem::Unreadable(why) if why.contains("remembered")))
    }

    fn start(run: u64) -> Entry {
        Entry::RunStart(RunStart {
            run: run.to_string().as_str().into(),
            attestation: Digest::ZERO,
            policy: Digest::ZERO,
            mode: Mode::Enforce,
            command: Vec::new(),
            workload: Workload { pid: 1, start: 1 },
        })
    }

    fn decision(attempt: u64) -> Entry {
        Entry::Decision(Decision {
            attempt,
            process: Process::UNKNOWN,
            name: Some("a.example".into()),
            address: [11, 0, 0, 1].into(),
            port: 443,
            seen: Seen::Nothing,
            decision: Choice::Allow,
            reason: None,
            rule: None,
            policy: Digest::ZERO,
        })
    }

    fn outcome(attempt: u64) -> Entry {
        let (bytes, result) = (Some(1), Ended::Closed);
        let (bytes_up, bytes_down, millis) = (bytes, bytes, bytes);
        Entry::Outcome(Outcome { attempt, result, reason: None, upstream: None, bytes_up, bytes_down, millis })
    }

    fn log(entries: impl IntoIterator<Item = Entry>) -> Vec<u8> {
        let mut chain = Chain::new();
        entries.into_iter().flat_map(|entry| chain.append(Time::from_micros(0), &entry).unwrap()).collect()
    }

    /// However long a log is, what has to be remembered of it has a bound.
    #[test]
    fn what_is_over_is_forgotten_and_what_would_fill_the_memory_is_refused() {
        let answered = (1..=1000).flat_map(|attempt| [decision(attempt), outcome(attempt)]);
        assert_eq!(judged(&log([start(1)].into_iter().chain(answered))), Ok(()));
        let open = (1..=1000).map(decision);
        assert!(is_too_much(judged(&log([start(1)].into_iter().chain(open)))));
        let apart = (1..=1000).flat_map(|attempt| [decision(attempt * 2), outcome(attempt * 2)]);
        assert!(is_too_much(judged(&log([start(1)].into_iter().chain(apart)))));
    }

    #[test]
    fn runs_whose_report_would_fill_the_memory_are_refused() {
        let mut chain = Chain::new();
        let mut log = Vec::new();
        for run in 0..100 {
            log.extend(chain.append(Time::from_micros(0), &start(run)).unwrap());
            let ending = Ending { exit: 0, reason: None, millis: 0, refused: Default::default() };
            log.extend(chain.end(Time::from_micros(0), ending).unwrap().1);
            assert!(run > 9 || judged(&log).is_ok(), "{run}");
        }
        assert!(is_too_much(judged(&log)));
    }
}
