//! What did a run do with each host? Entries are folded into rows; the writer and the verifier fold alike.

use std::collections::HashMap;

use crate::audit::{Choice, Decision, DnsDenied, Ended, HostRow, Outcome};
use crate::canonical::MAX_INTEGER;
use crate::text::Text;

/// The most rows; what goes to further hosts is added up in one more, named [`OTHERS`].
pub const MAX_HOSTS: usize = 1024;

/// The row for all hosts beyond [`MAX_HOSTS`].
pub const OTHERS: &str = "(others)";

/// The rows of one run so far, in the order in which the hosts first appeared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    rows: Vec<Row>,
    places: HashMap<Text, usize>,
    open: HashMap<u64, Attempt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    host: HostRow,
    ports: Ports,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    None,
    One(u16),
    Several,
}

/// An attempt without an outcome yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attempt {
    row: usize,
    denied: bool,
}

impl Summary {
    /// The rows.
    pub fn rows(&self) -> Vec<HostRow> {
        self.rows.iter().map(Row::shown).collect()
    }

    /// How many attempts have a decision and no outcome yet.
    pub fn unanswered(&self) -> u64 {
        self.open.len() as u64
    }

    /// Whether this attempt has a decision and no outcome yet.
    pub fn is_open(&self, attempt: u64) -> bool {
        self.open.contains_key(&attempt)
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        self.weight_of_rows() + self.open.len() * 64
    }

    /// About how many bytes its rows take.
    pub(super) fn weight_of_rows(&self) -> usize {
        self.rows.len() * 512
    }

    /// Counts an attempt.
    pub fn decided(&mut self, decision: &Decision) {
        let place = match &decision.name {
            Some(name) => self.place(name),
            None => self.place(&decision.address.to_string().into()),
        };
        let row = &mut self.rows[place];
        let denied = decision.decision == Choice::Deny;
        row.worsen(decision.decision);
        add(&mut row.host.connections, 1);
        add(&mut row.host.denied, denied.into());
        row.ports = row.ports.and(decision.port);
        self.open.insert(decision.attempt, Attempt { row: place, denied });
    }

    /// Adds what became of an attempt. One that was allowed and then refused is a denial too; what is not known adds nothing.
    pub fn ended(&mut self, outcome: &Outcome) {
        let Some(attempt) = self.open.remove(&outcome.attempt) else {
            return;
        };
        let row = &mut self.rows[attempt.row];
        if outcome.result == Ended::Refused && !attempt.denied {
            row.worsen(Choice::Deny);
            add(&mut row.host.denied, 1);
        }
        add(&mut row.host.bytes_up, outcome.bytes_up.unwrap_or(0));
        add(&mut row.host.bytes_down, outcome.bytes_down.unwrap_or(0));
        add(&mut row.host.millis, outcome.millis.unwrap_or(0));
    }

    /// Counts denied queries.
    pub fn dns_denied(&mut self, denied: &DnsDenied) {
        let place = self.place(&denied.name);
        let row = &mut self.rows[place];
        row.worsen(Choice::Deny);
        add(&mut row.host.denied, denied.count);
    }

    fn place(&mut self, name: &Text) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        if self.rows.len() > MAX_HOSTS {
            return MAX_HOSTS;
        }
        let name = if self.rows.len() == MAX_HOSTS { Text::new(OTHERS) } else { name.clone() };
        self.places.insert(name.clone(), self.rows.len());
        self.rows.push(Row::new(name));
        self.rows.len() - 1
    }
}

impl Row {
    fn new(name: Text) -> Row {
        let host = HostRow {
            name,
            port: None,
            decision: Choice::Allow,
            connections: 0,
            denied: 0,
            bytes_up: 0,
            bytes_down: 0,
            millis: 0,
        };
        Row { host, ports: Ports::None }
    }

    fn shown(&self) -> HostRow {
        let port = match self.ports {
            Ports::One(port) => Some(port),
            Ports::None | Ports::Several => None,
        };
        HostRow { port, ..self.host.clone() }
    }

    fn worsen(&mut self, choice: Choice) {
        self.host.decision = self.host.decision.max(choice);
    }
}

impl Ports {
    fn and(self, port: u16) -> Ports {
        match self {
            Ports::None => Ports::One(port),
            Ports::One(one) if one == port => self,
            Ports::One(_) | Ports::Several => Ports::Several,
        }
    }
}

/// Sums stop at the greatest integer that a line can carry.
pub(super) fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more).min(MAX_INTEGER);
}
