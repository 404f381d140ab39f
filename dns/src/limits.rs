//! How much may one client ask of the sinkhole at a time?

use std::time::Duration;

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In one datagram: the answer must fit what the client can take.
    Udp,
    /// In a stream, framed by its length.
    Tcp,
}

/// What bounds the sinkhole. The defaults suit one bottle.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest UDP answer, and the payload size that answers advertise, in bytes: 1232 avoids fragments everywhere.
    pub udp_payload: u16,
    /// The longest query that is read, in bytes. A question and its options need less than a quarter of the default.
    pub query: usize,
    /// TCP connections open at a time on one listener; further ones wait in the kernel's backlog.
    pub connections: usize,
    /// How long a TCP client may take for one whole query, or for taking one whole answer.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { udp_payload: 1232, query: 2048, connections: 128, idle: Duration::from_secs(10) }
    }
}
