//! What is an airlock, once it is built?
//!
//! Descriptors, and nothing else: when the last one closes, the namespaces and all in them are gone.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::SockProtocol;

use crate::connections::Connections;
use crate::layout::Side;
use crate::sys;
use crate::watch::Watch;
use crate::wire::{Wire, WireError};

pub use crate::flatten::{AirlockIndex, FlattenError, Role};

/// The pair of namespaces, with everything that was opened in them.
#[derive(Debug)]
pub struct Airlock {
    /// The workload's network namespace.
    pub agent: OwnedFd,
    /// The gate's network namespace.
    pub gate: OwnedFd,
    /// The user namespace that owns both, where an ordinary user built them.
    pub user: Option<OwnedFd>,
    /// The sockets that the gate process serves.
    pub listeners: Listeners,
    /// The sockets that hear of changes.
    pub watches: Watches,
    /// The kernel settings, open for reading.
    pub sysctls: Vec<Sysctl>,
    /// The sockets through which the state is read back.
    pub desks: Desks,
    /// The socket through which connections of the agent namespace are looked up, until somebody takes it for that.
    pub connections: Option<Connections>,
}

/// Sockets to serve. All are non-blocking and closed on exec.
#[derive(Debug)]
pub struct Listeners {
    /// TCP to any address; an accepted socket's own address is the original destination. IPv4, IPv6.
    pub transparent: Vec<TcpListener>,
    /// The explicit proxy. IPv4, IPv6.
    pub explicit: Vec<TcpListener>,
    /// DNS over UDP: the gate's two, for any address (with packet info), then the agent's loopback ones.
    pub dns_udp: Vec<UdpSocket>,
    /// DNS over TCP, in the same order.
    pub dns_tcp: Vec<TcpListener>,
    /// NFLOG sockets: agent, gate.
    pub nflog: Vec<OwnedFd>,
}

/// Receive-only notification sockets, three in each namespace.
#[derive(Debug)]
pub struct Watches(pub Vec<Watch>);

/// One kernel setting of one namespace.
#[derive(Debug)]
pub struct Sysctl {
    /// Where it holds.
    pub side: Side,
    /// Its path below /proc/sys.
    pub path: String,
    /// The value that was set.
    pub expected: String,
    /// The open file.
    pub fd: OwnedFd,
}

impl Sysctl {
    /// Its value now, from whatever namespace the caller is in.
    pub fn read(&self) -> std::io::Result<String> {
        crate::sysctl::read(&self.fd)
    }

    /// What it is instead of what was set; nothing where it is that.
    pub fn deviation(&self) -> Option<String> {
        match self.read() {
            Ok(value) => (value != self.expected).then(|| format!("{value:?}")),
            Err(error) => Some(format!("unreadable: {error}")),
        }
    }
}

/// The desks of both namespaces.
#[derive(Debug)]
pub struct Desks {
    /// In the agent namespace.
    pub agent: Desk,
    /// In the gate namespace.
    pub gate: Desk,
}

impl Desks {
    /// The desk in this namespace.
    pub fn of(&self, side: Side) -> &Desk {
        match side {
            Side::Agent => &self.agent,
            Side::Gate => &self.gate,
        }
    }
}

/// Request sockets in one namespace.
///
/// Whoever holds one and has CAP_NET_ADMIN over the namespace's owner (its builder, root, or the user who
/// owns that user namespace) can ask through it from outside. It must never reach the gate or the workload.
#[derive(Debug)]
pub struct Desk {
    pub(crate) route: Wire,
    pub(crate) netfilter: Wire,
    pub(crate) diag: Wire,
}

impl Desk {
    /// Opens one in the current network namespace.
    pub fn open() -> Result<Self, WireError> {
        Ok(Desk {
            route: Wire::open(SockProtocol::NetlinkRoute)?,
            netfilter: Wire::open(SockProtocol::NetlinkNetFilter)?,
            diag: Wire::open(SockProtocol::NetlinkSockDiag)?,
        })
    }

    /// The cookie of its namespace: unique for each since boot, never used again.
    pub fn netns_cookie(&self) -> Result<u64, WireError> {
        sys::netns_cookie(&self.route).map_err(|errno| WireError::Socket { call: "SO_NETNS_COOKIE", errno })
    }
}

/// The cookie of the network namespace that a socket belongs to: unique for each since boot, never used again.
pub fn namespace_of(socket: impl AsFd) -> std::io::Result<u64> {
    Ok(sys::netns_cookie(socket)?)
}

impl AsFd for Desk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.route.as_fd()
    }
}
