//! What did the lab's internet see? Each query, each connection and each datagram, in the order in which they came.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// One DNS question that reached some address of the lab's internet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsQuery {
    /// Who asked.
    pub from: SocketAddr,
    /// Which resolver was asked.
    pub to: SocketAddr,
    /// Whether it came over TCP.
    pub tcp: bool,
    /// The name, lower case and without the last dot.
    pub name: String,
    /// The type, such as `A`.
    pub kind: String,
}

/// One HTTP request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The name asked for, without the port.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// `HTTP/1.1`, `HTTP/2.0`.
    pub version: String,
    /// Header names, lower case, and values.
    pub headers: Vec<(String, String)>,
    /// How many bytes of body arrived.
    pub body_bytes: u64,
    /// The beginning of the body.
    pub body_head: Vec<u8>,
}

/// One connection, or one datagram, that reached the lab's internet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Which service took it: `web`, `ssh`, `smtp`, `postgres`, `echo`, `collector`, `faulty`, `udp` or `host`.
    pub service: String,
    /// Who sent it.
    pub from: SocketAddr,
    /// The address it was sent to.
    pub to: SocketAddr,
    /// The name in the TLS ClientHello.
    pub server_name: Option<String>,
    /// The HTTP requests in it.
    pub requests: Vec<HttpRequest>,
    /// How many bytes the client sent, handshakes included.
    pub bytes: u64,
    /// The first of these bytes, at most 16 KiB.
    pub head: Vec<u8>,
    /// Whether it has ended.
    pub closed: bool,
}

impl Received {
    pub(crate) fn new(service: &str, from: SocketAddr, to: SocketAddr) -> Self {
        let (service, server_name) = (service.to_owned(), None);
        Self { service, from, to, server_name, requests: Vec::new(), bytes: 0, head: Vec::new(), closed: false }
    }

    /// Counts bytes from the client, and keeps the first of them.
    pub(crate) fn count(&mut self, bytes: &[u8]) {
        const HEAD: usize = 16 * 1024;
        self.bytes += bytes.len() as u64;
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
    }
}
