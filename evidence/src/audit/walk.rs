//! Does a line continue the log? Line by line, for the verifier and for recovery.

use std::io::{self, BufRead};

use crate::audit::order::OpenRun;
use crate::audit::{Chain, Entry, Line, LogError, LogProblem, MAX_LINE, seal};
use crate::digest::Digest;
use crate::key::{self, PublicKey};
use crate::retirement;
use crate::time::Time;

/// One line, taken.
pub(crate) struct Step {
    /// Its number.
    pub(crate) number: u64,
    /// What it says.
    pub(crate) line: Line,
    /// The run that is no longer open after it.
    pub(crate) closed: Option<OpenRun>,
}

/// A log, read and checked up to some line.
pub(crate) struct Walk<'k> {
    keys: &'k [PublicKey],
    chain: Chain,
    /// When what is being sealed began: the time of the last `run.start` or `torn`.
    begun: Time,
    /// Not known where the lines stand in no file.
    file: Option<Place>,
}

/// Where in the log's files the next line stands.
#[derive(Clone, Copy)]
struct Place {
    number: u64,
    /// Nothing of this file was read yet.
    is_first: bool,
}

impl<'k> Walk<'k> {
    /// Before the first line. Seals must be by one of these keys.
    pub(crate) fn new(keys: &'k [PublicKey]) -> Walk<'k> {
        Walk::from(Chain::new(), Some(Place { number: 0, is_first: true }), keys)
    }

    /// After a line, in no file, with this sequence number and hash, where no run is open and all is sealed.
    pub(crate) fn after(seq: u64, hash: Digest, keys: &'k [PublicKey]) -> Walk<'k> {
        Walk::from(Chain::after(seq, hash), None, keys)
    }

    fn from(chain: Chain, file: Option<Place>, keys: &'k [PublicKey]) -> Walk<'k> {
        Walk { keys, chain, begun: Time::from_micros(0), file }
    }

    /// The next line stands in the next file.
    pub(crate) fn begin_file(&mut self) {
        self.file = self.file.map(|file| Place { number: file.number + 1, is_first: true });
    }

    /// An error in the file that is being read.
    pub(crate) fn error(&self, what: LogProblem) -> LogError {
        self.located(LogError::at(self.next_line(), what))
    }

    /// Nothing of a further file was read.
    pub(crate) fn is_without_beginning(&self) -> Option<LogProblem> {
        self.file.filter(Place::must_begin).map(|file| LogProblem::NoSegment(file.number))
    }

    /// Goes back to the file before the last one, if nothing was read of that: its writer had not come to its first line.
    pub(crate) fn pass_over_empty_file(&mut self) {
        if let Some(empty) = self.file.filter(Place::must_begin) {
            self.file = Some(Place { number: empty.number - 1, is_first: false });
        }
    }

    /// Which of the log's files is being read.
    pub(crate) fn segment(&self) -> u64 {
        self.file.map_or(1, |file| file.number.max(1))
    }

    fn located(&self, error: LogError) -> LogError {
        LogError { segment: self.segment(), ..error }
    }

    /// Takes the next line, without its line feed, or says what is wrong with it.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Step, LogError> {
        let number = self.next_line();
        let line = Line::from_bytes(bytes).map_err(|error| self.error(error.into()))?;
        self.check(number, &line).map_err(|what| self.located(LogError::of(number, &line, what)))?;
        self.file = self.file.map(|file| Place { is_first: false, ..file });
        if matches!(line.entry, Entry::RunStart(_) | Entry::Torn(_)) {
            self.begun = line.time;
        }
        Ok(Step { number, closed: self.chain.take(&line, bytes), line })
    }

    /// The number of the line that comes next. Lines and sequence numbers agree in a log that is whole.
    pub(crate) fn next_line(&self) -> u64 {
        self.chain.seq() + 1
    }

    /// The log so far.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The log so far, to be continued.
    pub(crate) fn into_chain(self) -> Chain {
        self.chain
    }

    fn check(&self, number: u64, line: &Line) -> Result<(), LogProblem> {
        let begins = self.file.map_or(Ok(false), |file| file.check(&line.entry))?;
        if line.seq != number {
            return Err(if begins { LogProblem::Apart } else { LogProblem::Sequence(number) });
        }
        if line.prev != self.chain.head() {
            return Err(if begins { LogProblem::Apart } else { LogProblem::Broken });
        }
        if let Entry::Seal(made) = &line.entry {
            let key = key::trusted(self.keys, made.key).ok_or(LogProblem::UnknownKey(made.key))?;
            if !seal::holds(line, made, key) {
                return Err(LogProblem::BadSeal);
            }
            // A run that has begun goes on with its key, whatever becomes of that.
            if let Some(at) = retirement::passed(self.keys, made.key, self.begun) {
                return Err(LogProblem::RetiredKey { key: made.key, at });
            }
        }
        Ok(self.chain.order().check(line.prev, &line.entry)?)
    }
}

impl Place {
    /// Whether the next line is the first of a further file.
    fn must_begin(&self) -> bool {
        self.is_first && self.number > 1
    }

    /// Whether this entry begins a further file, as the first of each does and no other.
    fn check(&self, entry: &Entry) -> Result<bool, LogProblem> {
        match (entry, self.must_begin()) {
            (Entry::Segment(begun), true) if begun.number == self.number => Ok(true),
            (Entry::Segment(begun), true) => Err(LogProblem::OtherSegment { is: begun.number, should: self.number }),
            (Entry::Segment(begun), false) => Err(LogProblem::SegmentInside(begun.number)),
            (_, true) => Err(LogProblem::NoSegment(self.number)),
            (_, false) => Ok(false),
        }
    }
}

/// What a reader gives next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A line, now in the buffer without its line feed.
    Line,
    /// Bytes without a line feed, now in the buffer, and then the end.
    Torn,
    /// More bytes without a line feed than a line may have.
    TooLong,
    /// The end.
    End,
}

/// Reads up to the next line feed, never more than a line may have.
pub(crate) fn next_piece(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Piece> {
    buffer.clear();
    let most = MAX_LINE as u64 + 1;
    io::Read::take(reader, most).read_until(b'\n', buffer)?;
    Ok(match buffer.last() {
        None => Piece::End,
        Some(b'\n') => {
            buffer.pop();
            Piece::Line
        }
        Some(_) if buffer.len() as u64 == most => Piece::TooLong,
        Some(_) => Piece::Torn,
    })
}
