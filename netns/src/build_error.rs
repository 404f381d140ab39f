//! Why could the airlock not be built, and what to do about it?

use std::io;
use std::net::SocketAddr;

use nix::errno::Errno;
use thiserror::Error;

use crate::encode::EncodeError;
use crate::enter::EnterError;
use crate::layout::Side;
use crate::wire::WireError;

/// Why the airlock could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// There are no namespaces.
    #[error("no namespaces")]
    Namespace(#[from] EnterError),
    /// A netlink socket failed, or what it answered made no sense.
    #[error("netlink in the {side} namespace")]
    Netlink {
        /// In which namespace.
        side: Side,
        /// What happened.
        source: WireError,
    },
    /// The kernel makes no veth pairs.
    #[error("this kernel makes no veth pair: {errno}")]
    NoVeth {
        /// What it said.
        errno: Errno,
    },
    /// A link, address, neighbour, route or routing rule was refused.
    #[error("{step} ({device}, {side} namespace): {errno}")]
    Link {
        /// What was tried.
        step: &'static str,
        /// On which device.
        device: String,
        /// In which namespace.
        side: Side,
        /// What the kernel said.
        errno: Errno,
    },
    /// The kernel has no nf_tables.
    #[error("this kernel has no nf_tables: {errno}")]
    NoNfTables {
        /// What it said.
        errno: Errno,
    },
    /// The kernel has no tproxy expression.
    #[error("this kernel's nf_tables has no tproxy: {errno}")]
    NoTproxy {
        /// What it said.
        errno: Errno,
    },
    /// A rule was refused.
    #[error("packet rules of the {side} namespace, entry {entry}: {errno}")]
    Rule {
        /// In which namespace.
        side: Side,
        /// The entry, as JSON.
        entry: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// The rules could not be encoded.
    #[error("packet rules of the {side} namespace")]
    Encode {
        /// Of which namespace.
        side: Side,
        /// What was not understood.
        source: EncodeError,
    },
    /// A kernel setting could not be made.
    #[error("/proc/sys/{path} in the {side} namespace: {errno}")]
    Sysctl {
        /// In which namespace.
        side: Side,
        /// The setting.
        path: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// A listening socket could not be made.
    #[error("listen on {at} ({transport}, {side} namespace): {errno}")]
    Socket {
        /// In which namespace.
        side: Side,
        /// TCP or UDP.
        transport: &'static str,
        /// Where.
        at: SocketAddr,
        /// What the kernel said.
        errno: Errno,
    },
    /// A thread could not be had.
    #[error("cannot build both sides at once")]
    Thread(#[source] io::Error),
    /// A namespace that was to be adopted leads somewhere already.
    #[error("the network namespace has a network already: {}", found.join(", "))]
    Connected {
        /// Its devices, routes and rules, in words.
        found: Vec<String>,
    },
    /// The links did not come up.
    #[error("{device} in the {side} namespace did not come up")]
    Down {
        /// In which namespace.
        side: Side,
        /// Which.
        device: String,
    },
}

impl BuildError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            BuildError::Namespace(enter) => enter.hint(),
            BuildError::NoVeth { .. } => Some("modprobe veth, or a kernel with CONFIG_VETH"),
            BuildError::NoNfTables { .. } => {
                Some("modprobe nf_tables, or a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET")
            }
            BuildError::Connected { .. } => {
                Some("give the container a network namespace of its own and no network: it would be a second way out")
            }
            BuildError::NoTproxy { .. } => Some("modprobe nft_tproxy, or a kernel with CONFIG_NFT_TPROXY"),
            BuildError::Sysctl { path, .. } if path.starts_with("net/ipv6") => {
                Some("a kernel with IPv6 on (no ipv6.disable=1)")
            }
            _ => None,
        }
    }
}
