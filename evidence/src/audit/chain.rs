//! Which bytes are appended to the log next? A state machine without I/O.

use std::collections::BTreeMap;

use crate::audit::order::{OpenRun, Order};
use crate::audit::{Entry, Line, OrderError, RunEnd, Segment, Summary, line, seal};
use crate::canonical::NoCanonicalForm;
use crate::digest::{Digest, sha256};
use crate::key::SigningKey;
use crate::text::Text;
use crate::time::Time;

/// Why an entry was not appended. The chain is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It may not come next.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// It has no canonical form.
    #[error(transparent)]
    NoCanonicalForm(#[from] NoCanonicalForm),
    /// It is longer than any line may be.
    #[error("the entry is longer than {} bytes", line::MAX_LINE)]
    TooLong,
    /// Seals are made by [`Chain::seal`].
    #[error("a seal is not appended: it is made")]
    ForeignSeal,
}

/// A log up to its last line. What it returns must be written in this order and in full, each with its line feed; once
/// a write has failed, nothing more may be appended to that log.
#[derive(Clone, Debug)]
pub struct Chain {
    last: u64,
    head: Digest,
    order: Order,
}

/// What is said of a run's end; the rest is counted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What bottle exits with.
    pub exit: u8,
    /// Why bottle ended the run, if it did.
    pub reason: Option<Text>,
    /// How long the workload ran, in milliseconds.
    pub millis: u64,
    /// How many packets were refused, by class: exact.
    pub refused: BTreeMap<Text, u64>,
}

impl Default for Chain {
    fn default() -> Self {
        Chain::new()
    }
}

impl Chain {
    /// An empty log.
    pub fn new() -> Chain {
        Chain { last: 0, head: Digest::ZERO, order: Order::new(Some(1)) }
    }

    /// A log after a line with this sequence number and hash, where no run is open and all is sealed.
    pub(crate) fn after(seq: u64, hash: Digest) -> Chain {
        Chain { last: seq, head: hash, order: Order::new(None) }
    }

    /// The sequence number of the last line; 0 for an empty log.
    pub fn seq(&self) -> u64 {
        self.last
    }

    /// The hash of the last line; zeros for an empty log.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// How many lines no seal has signed for yet.
    pub fn unsealed(&self) -> u64 {
        self.order.unsealed()
    }

    /// What the open run did with each host so far.
    pub fn summary(&self) -> Option<&Summary> {
        self.order.run().map(|run| &run.summary)
    }

    /// The line for this entry, with its line feed.
    pub fn append(&mut self, time: Time, entry: &Entry) -> Result<Vec<u8>, AppendError> {
        if matches!(entry, Entry::Seal(_)) {
            return Err(AppendError::ForeignSeal);
        }
        self.order.check(self.head, entry)?;
        self.push(Line { seq: self.last + 1, prev: self.head, time, entry: entry.clone() })
    }

    /// The line that signs for all lines so far, with its line feed.
    pub fn seal(&mut self, time: Time, key: &SigningKey) -> Result<Vec<u8>, AppendError> {
        if self.order.unsealed() == 0 {
            return Err(OrderError::NothingToSeal.into());
        }
        let line = seal::sign(self.last + 1, self.head, time, key)?;
        self.push(line)
    }

    /// The line that begins the log's next file, with its line feed. All lines before it are sealed.
    pub fn segment(&mut self, time: Time) -> Result<Vec<u8>, AppendError> {
        let number = self.order.next_segment().ok_or(OrderError::OutsideRun)?;
        self.append(time, &Entry::Segment(Segment { number }))
    }

    /// The line that ends the run, with its line feed, and what it says. It is worth nothing before it is sealed.
    pub fn end(&mut self, time: Time, ending: Ending) -> Result<(RunEnd, Vec<u8>), AppendError> {
        let run = self.order.run().ok_or(OrderError::OutsideRun)?;
        let Ending { exit, reason, millis, refused } = ending;
        let (count, command, hosts) = (run.lines, run.start.command.clone(), run.summary.rows());
        let end = RunEnd { count, head: self.head, command, exit, reason, millis, refused, hosts };
        let bytes = self.append(time, &Entry::RunEnd(end.clone()))?;
        Ok((end, bytes))
    }

    fn push(&mut self, line: Line) -> Result<Vec<u8>, AppendError> {
        let mut bytes = line.to_bytes()?;
        if bytes.len() > line::MAX_LINE {
            return Err(AppendError::TooLong);
        }
        self.take(&line, &bytes);
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Takes note of a line that was checked. Returns the run that is no longer open after it.
    pub(crate) fn take(&mut self, line: &Line, bytes: &[u8]) -> Option<OpenRun> {
        self.head = sha256(bytes);
        self.last = line.seq;
        self.order.note(&line.entry)
    }

    /// The order that entries keep in this log.
    pub(crate) fn order(&self) -> &Order {
        &self.order
    }
}
