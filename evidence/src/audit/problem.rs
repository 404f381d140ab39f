//! What can be wrong with a log, and where?

use std::fmt;

use crate::audit::{Line, MAX_LINE, OrderError};
use crate::canonical::ReadError;
use crate::key::KeyId;
use crate::text::Text;
use crate::time::Time;

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogError {
    /// Which of the log's files, from 1.
    pub segment: u64,
    /// The line, from 1, counted through all files; the line after the last where something is missing at the end.
    pub line: u64,
    /// The sequence number that this line gives, if it could be read.
    pub seq: Option<u64>,
    /// What is wrong.
    pub what: LogProblem,
}

impl LogError {
    pub(crate) fn at(line: u64, what: LogProblem) -> LogError {
        LogError { segment: 1, line, seq: None, what }
    }

    pub(crate) fn unreadable(line: u64, error: &std::io::Error) -> LogError {
        LogError::at(line, LogProblem::Unreadable(error.to_string()))
    }

    pub(crate) fn of(number: u64, line: &Line, what: LogProblem) -> LogError {
        LogError { segment: 1, line: number, seq: Some(line.seq), what }
    }

    /// A file is not there although a later one is.
    pub fn missing(segment: u64) -> LogError {
        LogError { segment, ..LogError::at(1, LogProblem::SegmentMissing(segment)) }
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segment > 1 {
            write!(f, "file {} of the log, ", self.segment)?;
        }
        match self.seq {
            Some(seq) => write!(f, "line {} (seq {seq}): {}", self.line, self.what),
            None => write!(f, "line {}: {}", self.line, self.what),
        }
    }
}

impl std::error::Error for LogError {}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogProblem {
    /// It can't be read.
    #[error("the log cannot be read: {0}")]
    Unreadable(String),
    /// It has no line.
    #[error("the log is empty")]
    Empty,
    /// It does not begin as a log does.
    #[error("it is no audit log")]
    Other,
    /// A line is longer than any that is written.
    #[error("longer than {MAX_LINE} bytes")]
    TooLong,
    /// The last line has no end.
    #[error("the last line has no end: the log was cut, or its writer died")]
    Torn,
    /// A line that is none.
    #[error("{0}")]
    Line(#[from] ReadError),
    /// Lines are missing, inserted or in another order.
    #[error("the sequence number should be {0}: lines were deleted, inserted or moved")]
    Sequence(u64),
    /// The line before it has another hash.
    #[error("it does not continue the line before it: one of the two was changed")]
    Broken,
    /// A file of the log is not there.
    #[error("file {0} of the log is missing, and a later one is there")]
    SegmentMissing(u64),
    /// A further file does not begin as one does.
    #[error("it does not begin as file {0} of a log")]
    NoSegment(u64),
    /// A file stands in another's place.
    #[error("this is file {is} of a log, and stands where file {should} should")]
    OtherSegment {
        /// What its first line says.
        is: u64,
        /// Where it stands.
        should: u64,
    },
    /// A file does not follow upon the one before it.
    #[error("it does not continue the file before it: that one was cut or changed, or one of both is another log's")]
    Apart,
    /// The first line of a further file stands elsewhere.
    #[error("file {0} of a log begins here, within another")]
    SegmentInside(u64),
    /// Sealed by a key that is not among those given.
    #[error("sealed by the key {0}, which is not trusted")]
    UnknownKey(KeyId),
    /// Sealed by a key that had been retired before what it seals began.
    #[error("sealed by the key {key}, which was retired at {at}, before this run began")]
    RetiredKey {
        /// The key.
        key: KeyId,
        /// When.
        at: Time,
    },
    /// A seal's signature does not fit.
    #[error("the seal's signature is wrong")]
    BadSeal,
    /// The entry may not stand where it stands.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// From this line on, no seal signs.
    #[error("no seal signs for this line and what follows")]
    Unsealed,
    /// A run without its end.
    #[error("the run {0} that starts here has no end: it is incomplete")]
    Incomplete(Text),
    /// The head that someone else has seen is not in this log.
    #[error("the line with sequence number {0} is not the one that was seen before: the log was cut or replaced")]
    HeadMissing(u64),
}
