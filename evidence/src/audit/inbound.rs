//! What is recorded of a connection from outside to a published port? Its beginning before a byte moves, and its outcome.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::audit::spans::Spans;
use crate::audit::summary::add;
use crate::audit::{Ended, OrderError};

/// Somebody outside connected to a published port. Nothing moves, and nothing is opened inside, before this is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// The connection's number, unique within the run. Attempts of the workload's are numbered apart from these.
    pub connection: u64,
    /// The address that it came from.
    pub peer: IpAddr,
    /// The port that it came from.
    pub peer_port: u16,
    /// The address that it connected to: one of the host's loopback.
    pub address: IpAddr,
    /// The port that it connected to.
    pub port: u16,
    /// The port inside that is published there.
    pub inside: u16,
}

/// What became of a connection from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundOutcome {
    /// The connection's number, as in its beginning.
    pub connection: u64,
    /// How it ended. `Refused`: nothing listens inside; `Unreachable`: what listens took nothing.
    pub result: Ended,
    /// Bytes that went in. `None`, as in the next two, where nobody was left to say: only a cut can be so, and bytes may
    /// have passed.
    pub bytes_in: Option<u64>,
    /// Bytes that came out.
    pub bytes_out: Option<u64>,
    /// How long it lasted, in milliseconds.
    pub millis: Option<u64>,
}

/// What came in to one published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundRow {
    /// The port inside.
    pub inside: u16,
    /// How many connections there were.
    pub connections: u64,
    /// Bytes that went in; as the next two, a sum of what is known.
    pub bytes_in: u64,
    /// Bytes that came out.
    pub bytes_out: u64,
    /// How long they lasted, added up, in milliseconds.
    pub millis: u64,
}

/// The connections from outside of one run so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct InboundSummary {
    rows: BTreeMap<u16, InboundRow>,
    seen: Spans,
    /// Those without an outcome, with the port inside.
    open: HashMap<u64, u16>,
}

impl InboundOutcome {
    /// Whether it says what it must: all amounts, or none of a connection that was cut.
    fn is_counted(&self) -> bool {
        let known = [self.bytes_in, self.bytes_out, self.millis].map(|amount| amount.is_some());
        known == [true; 3] || (known == [false; 3] && self.result == Ended::Cut)
    }
}

impl InboundSummary {
    /// One row for each port, in their order.
    pub(crate) fn rows(&self) -> Vec<InboundRow> {
        self.rows.values().copied().collect()
    }

    /// How many connections have no outcome yet.
    pub(crate) fn unanswered(&self) -> u64 {
        self.open.len() as u64
    }

    /// About how many bytes they take.
    pub(crate) fn weight(&self) -> usize {
        self.rows.len() * 64 + self.seen.weight() + self.open.len() * 32
    }

    pub(crate) fn check_begun(&self, begun: &Inbound) -> Result<(), OrderError> {
        let repeated = self.seen.contains(begun.connection);
        if repeated { Err(OrderError::InboundRepeated(begun.connection)) } else { Ok(()) }
    }

    pub(crate) fn check_ended(&self, outcome: &InboundOutcome) -> Result<(), OrderError> {
        let number = outcome.connection;
        match (self.open.contains_key(&number), self.seen.contains(number)) {
            (true, _) if outcome.is_counted() => Ok(()),
            (true, _) => Err(OrderError::InboundUncounted(number)),
            (false, true) => Err(OrderError::InboundOutcomeRepeated(number)),
            (false, false) => Err(OrderError::InboundOutcomeAlone(number)),
        }
    }

    pub(crate) fn begun(&mut self, begun: &Inbound) {
        self.seen.insert(begun.connection);
        self.open.insert(begun.connection, begun.inside);
        self.row(begun.inside).connections += 1;
    }

    /// Adds what became of a connection. What is not known adds nothing.
    pub(crate) fn ended(&mut self, outcome: &InboundOutcome) {
        let Some(inside) = self.open.remove(&outcome.connection) else { return };
        let row = self.row(inside);
        add(&mut row.bytes_in, outcome.bytes_in.unwrap_or(0));
        add(&mut row.bytes_out, outcome.bytes_out.unwrap_or(0));
        add(&mut row.millis, outcome.millis.unwrap_or(0));
    }

    fn row(&mut self, inside: u16) -> &mut InboundRow {
        let empty = InboundRow { inside, connections: 0, bytes_in: 0, bytes_out: 0, millis: 0 };
        self.rows.entry(inside).or_insert(empty)
    }
}
