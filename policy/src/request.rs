//! What a connection attempt is, as the decision sees it.

use std::net::IpAddr;

use crate::Name;

/// One connection attempt: where it goes, and what its first bytes showed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Where the workload wants to go.
    pub target: Target,
    /// TCP port, 1 to 65535.
    pub port: u16,
    /// What the client's first bytes showed so far.
    pub seen: Seen,
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// To a leased address: the sinkhole gave it out for this name.
    Lease(Name),
    /// To a name that an explicit proxy request (CONNECT or absolute form) spelled.
    Named(Name),
    /// To an address without a lease.
    Literal(IpAddr),
}

/// What the first bytes of the client showed. Names in them are already canonical; a name that is none is [`Seen::Unparsable`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// Nothing was read yet.
    Nothing,
    /// A complete TLS ClientHello.
    Tls {
        /// The server name, if there was one.
        sni: Option<Name>,
        /// Whether the encrypted_client_hello extension was there.
        ech: bool,
    },
    /// One HTTP/1 request head.
    Http {
        /// The Host header's (or the absolute form's) host.
        host: HttpHost,
        /// The port that it names, if it names one.
        port: Option<u16>,
    },
    /// The client closed, broke off or let its time pass without a byte: it may wait for the server to speak first.
    Silent,
    /// Bytes of another protocol.
    Opaque,
    /// Bytes that start like TLS or HTTP and then are wrong, contradict themselves or spell no name.
    Unparsable(String),
}

/// What an HTTP request head calls its host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpHost {
    /// A name.
    Name(Name),
    /// A canonical address literal.
    Address(IpAddr),
    /// HTTP/1.0 without Host.
    Absent,
}
