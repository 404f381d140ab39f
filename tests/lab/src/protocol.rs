//! How does a lab talk with its world? One JSON line a message, over a socket pair; a blob follows where its length says so.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::journal::{DnsQuery, Received};
use crate::options::Plan;

/// What the lab asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Build; the first message, and only that.
    Build(Plan),
    /// All DNS queries so far.
    Queries,
    /// All connections and datagrams so far.
    Received,
    /// Answer when the journal differs from this revision, or after so many milliseconds.
    Changed { revision: u64, milliseconds: u64 },
    /// All packets so far.
    Packets,
    /// Set what the DNS says about a name.
    Set { name: String, answer: Answer },
    /// Open a listener in the host namespace that journals what it gets as service `host`.
    Listen(SocketAddr),
}

/// What the world says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Say {
    Ready { ca_pem: String },
    Failed(String),
    Queries(Vec<DnsQuery>),
    Received(u64, Vec<Received>),
    Revision(u64),
    Packets { bytes: usize, lost: Vec<(String, u64)> },
    Bound(SocketAddr),
    Done,
}
