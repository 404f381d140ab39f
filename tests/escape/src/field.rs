//! What is the world outside like? What the runner tells the attempts, and never what it keeps secret.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::tried::NotApplicable;

/// The world outside, as FIELD.json has it. What is absent makes attempts that need it not applicable.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Makes this run's tokens unlike any other run's.
    pub seed: String,
    /// Addresses that mean an attempt, and that lead to collectors on every port below.
    pub marks: Option<Marks>,
    /// The ports on which collectors listen at each mark.
    #[serde(default)]
    pub ports: Ports,
    /// Names and what is allowed of them.
    pub names: Option<Names>,
    /// A resolver that nobody configured inside, which knows the attacker's zone.
    pub foreign_resolver: Option<IpAddr>,
    /// An explicit CONNECT proxy, as seen from inside.
    pub proxy: Option<SocketAddr>,
    /// The machine that runs the sandbox.
    #[serde(default)]
    pub host: Host,
}

/// Two blocks: the attempt's place in the catalogue is added to the first address of each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// The first address of a /16.
    pub v4: Ipv4Addr,
    /// The first address of a /112.
    pub v6: Ipv6Addr,
}

/// Where collectors listen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// Takes anything over TCP.
    pub tcp: u16,
    /// Takes anything over UDP.
    pub udp: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { tcp: 9, udp: 9 }
    }
}

/// Names that lead somewhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The one name that the policy allows, on port 443 (TLS).
    pub allowed: String,
    /// A second one that it allows, on port 80 (plain HTTP).
    pub allowed_http: String,
    /// A name that leads to a web server and is not allowed.
    pub unlisted: String,
    /// All names below it lead to the attacker, whose server sees each query.
    pub zone: String,
    /// Names below it are allowed for anything on port 9, and lead where no rule allows: see the range for which there are.
    pub rebind: Option<String>,
}

/// The machine that runs the sandbox, and the canaries on it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Its own addresses.
    pub addresses: Vec<IpAddr>,
    /// A listener on its loopback.
    pub loopback: Option<SocketAddr>,
    /// Listeners on its own addresses.
    pub listeners: Vec<SocketAddr>,
    /// Unix sockets on which canaries listen.
    pub sockets: Vec<PathBuf>,
    /// The same, for datagrams.
    pub datagram_sockets: Vec<PathBuf>,
    /// The same, by abstract name.
    pub abstract_sockets: Vec<String>,
    /// FIFOs that are read.
    pub fifos: Vec<PathBuf>,
    /// Files with a secret in them.
    pub secret_files: Vec<PathBuf>,
    /// Files whose contents are looked at afterwards.
    pub drop_files: Vec<PathBuf>,
    /// A file with a secret in it, in a directory that a control covers.
    pub covered: Option<PathBuf>,
    /// A file whose contents are looked at, and which a control makes read-only.
    pub sealed: Option<PathBuf>,
    /// The key of a System V message queue that is read, of semaphores and of memory that are looked at.
    pub queue: Option<i32>,
    /// The name of a POSIX message queue that is read.
    pub posix_queue: Option<String>,
    /// The directory that is shared with the sandbox, in which repositories lie.
    pub directory: Option<PathBuf>,
    /// What a sandbox that signs and logs keeps for itself.
    pub evidence: Option<Evidence>,
    /// A program in another sandbox of the same kind, that listens.
    pub neighbour: Option<Neighbour>,
    /// Whether standard error is a socket with a connection of the host's.
    pub socket: Option<bool>,
    /// Whether standard input is a terminal of the host's that is watched.
    pub terminal: Option<bool>,
    /// Whether a process with a secret in its environment is running.
    pub victim: Option<bool>,
}

/// What a sandbox that signs and logs keeps for itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The private key.
    pub key: PathBuf,
    /// The log.
    pub log: PathBuf,
    /// Where it keeps all else.
    pub state: PathBuf,
}

/// Another sandbox's program.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// Where it would be, over TCP and UDP.
    pub addresses: Vec<SocketAddr>,
    /// The abstract socket on which it listens.
    pub socket: String,
}

impl Field {
    /// The names.
    ///
    /// # Errors
    /// Where the field has none.
    pub fn names(&self) -> Result<&Names, NotApplicable> {
        self.names.as_ref().ok_or(NotApplicable::field("names"))
    }

    /// The foreign resolver.
    ///
    /// # Errors
    /// Where the field has none.
    pub fn foreign_resolver(&self) -> Result<SocketAddr, NotApplicable> {
        let resolver = self.foreign_resolver.ok_or(NotApplicable::field("foreign_resolver"))?;
        Ok(SocketAddr::new(resolver, 53))
    }

    /// The explicit proxy.
    ///
    /// # Errors
    /// Where the field has none.
    pub fn proxy(&self) -> Result<SocketAddr, NotApplicable> {
        self.proxy.ok_or(NotApplicable::field("proxy"))
    }
}

impl Host {
    /// The directory that is shared.
    ///
    /// # Errors
    /// Where the field has none.
    pub fn directory(&self) -> Result<&Path, NotApplicable> {
        self.directory.as_deref().ok_or(NotApplicable::field("host.directory"))
    }

    /// What a sandbox that signs and logs keeps for itself.
    ///
    /// # Errors
    /// Where the field has nothing of it.
    pub fn evidence(&self) -> Result<&Evidence, NotApplicable> {
        self.evidence.as_ref().ok_or(NotApplicable::field("host.evidence"))
    }

    /// The other sandbox's program.
    ///
    /// # Errors
    /// Where the field has none.
    pub fn neighbour(&self) -> Result<&Neighbour, NotApplicable> {
        self.neighbour.as_ref().ok_or(NotApplicable::field("host.neighbour"))
    }

    /// The key of the objects of System V.
    ///
    /// # Errors
    /// Where the field has none.
    pub fn queue(&self) -> Result<u64, NotApplicable> {
        self.queue.map(|key| key as u64).ok_or(NotApplicable::field("host.queue"))
    }

    /// Whether the field says that this is there.
    ///
    /// # Errors
    /// Where it says nothing, or no.
    pub fn has(&self, what: Option<bool>, name: &'static str) -> Result<(), NotApplicable> {
        if what == Some(true) { Ok(()) } else { Err(NotApplicable::field(name)) }
    }

    /// A list that has something in it.
    ///
    /// # Errors
    /// Where it is empty.
    pub fn some<'a, T>(&self, list: &'a [T], name: &'static str) -> Result<&'a [T], NotApplicable> {
        if list.is_empty() { Err(NotApplicable::field(name)) } else { Ok(list) }
    }
}
