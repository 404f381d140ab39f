//! How does an airlock pass from one process to another?
//!
//! As a list of descriptors, for SCM_RIGHTS, and an index that says what each of them is.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::airlock::{Airlock, Desk, Desks, Listeners, Sysctl, Watches};
use crate::connections::Connections;
use crate::layout::Side;
use crate::watch::{Source, Watch};
use crate::wire::Wire;

/// What a descriptor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A network namespace.
    Namespace(Side),
    /// The user namespace that owns them.
    User,
    /// A listener for any address.
    Transparent,
    /// A listener of the explicit proxy.
    Explicit,
    /// A DNS socket, UDP.
    DnsUdp,
    /// A DNS socket, TCP.
    DnsTcp,
    /// An NFLOG socket.
    Nflog,
    /// A notification socket.
    Watch(Side, Source),
    /// A kernel setting: where, its path, its value.
    Sysctl(Side, String, String),
    /// A request socket for links and routes.
    RouteDesk(Side),
    /// A request socket for packet rules.
    NetfilterDesk(Side),
    /// A request socket for sockets.
    DiagDesk(Side),
    /// The socket for connections of the agent namespace.
    Connections,
}

/// What each descriptor of a flattened airlock is, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AirlockIndex(pub Vec<Role>);

/// Why descriptors do not make an airlock.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlattenError {
    /// There are more or fewer descriptors than the index names.
    #[error("{descriptors} descriptors came with an index of {index}")]
    Count {
        /// How many came.
        descriptors: usize,
        /// How many the index names.
        index: usize,
    },
    /// Something that each airlock has is not there.
    #[error("the airlock came without its {0}")]
    Missing(&'static str),
}

impl Airlock {
    /// Takes it apart.
    pub fn flatten(self) -> (AirlockIndex, Vec<OwnedFd>) {
        let mut parts: Vec<(Role, OwnedFd)> =
            vec![(Role::Namespace(Side::Agent), self.agent), (Role::Namespace(Side::Gate), self.gate)];
        parts.extend(self.user.map(|fd| (Role::User, fd)));
        parts.extend(self.listeners.transparent.into_iter().map(|it| (Role::Transparent, it.into())));
        parts.extend(self.listeners.explicit.into_iter().map(|it| (Role::Explicit, it.into())));
        parts.extend(self.listeners.dns_udp.into_iter().map(|it| (Role::DnsUdp, it.into())));
        parts.extend(self.listeners.dns_tcp.into_iter().map(|it| (Role::DnsTcp, it.into())));
        parts.extend(self.listeners.nflog.into_iter().map(|it| (Role::Nflog, it)));
        parts.extend(self.watches.0.into_iter().map(|it| (Role::Watch(it.side, it.source), it.fd)));
        parts.extend(self.sysctls.into_iter().map(|it| (Role::Sysctl(it.side, it.path, it.expected), it.fd)));
        for (side, desk) in [(Side::Agent, self.desks.agent), (Side::Gate, self.desks.gate)] {
            parts.push((Role::RouteDesk(side), desk.route.into()));
            parts.push((Role::NetfilterDesk(side), desk.netfilter.into()));
            parts.push((Role::DiagDesk(side), desk.diag.into()));
        }
        parts.extend(self.connections.map(|it| (Role::Connections, it.into())));
        let (roles, fds) = parts.into_iter().unzip();
        (AirlockIndex(roles), fds)
    }

    /// Puts it together again.
    pub fn rebuild(index: AirlockIndex, fds: Vec<OwnedFd>) -> Result<Airlock, FlattenError> {
        if index.0.len() != fds.len() {
            return Err(FlattenError::Count { descriptors: fds.len(), index: index.0.len() });
        }
        let mut parts = Parts::default();
        for (role, fd) in index.0.into_iter().zip(fds) {
            parts.put(role, fd);
        }
        parts.finish()
    }
}

#[derive(Default)]
struct Parts {
    namespaces: [Option<OwnedFd>; 2],
    user: Option<OwnedFd>,
    transparent: Vec<TcpListener>,
    explicit: Vec<TcpListener>,
    dns_udp: Vec<UdpSocket>,
    dns_tcp: Vec<TcpListener>,
    nflog: Vec<OwnedFd>,
    watches: Vec<Watch>,
    sysctls: Vec<Sysctl>,
    route: [Option<OwnedFd>; 2],
    netfilter: [Option<OwnedFd>; 2],
    diag: [Option<OwnedFd>; 2],
    connections: Option<Connections>,
}

impl Parts {
    fn put(&mut self, role: Role, fd: OwnedFd) {
        match role {
            Role::Namespace(side) => self.namespaces[side as usize] = Some(fd),
            Role::User => self.user = Some(fd),
            Role::Transparent => self.transparent.push(fd.into()),
            Role::Explicit => self.explicit.push(fd.into()),
            Role::DnsUdp => self.dns_udp.push(fd.into()),
            Role::DnsTcp => self.dns_tcp.push(fd.into()),
            Role::Nflog => self.nflog.push(fd),
            Role::Watch(side, source) => self.watches.push(Watch { side, source, fd }),
            Role::Sysctl(side, path, expected) => self.sysctls.push(Sysctl { side, path, expected, fd }),
            Role::RouteDesk(side) => self.route[side as usize] = Some(fd),
            Role::NetfilterDesk(side) => self.netfilter[side as usize] = Some(fd),
            Role::DiagDesk(side) => self.diag[side as usize] = Some(fd),
            Role::Connections => self.connections = Some(fd.into()),
        }
    }

    fn finish(self) -> Result<Airlock, FlattenError> {
        let [agent, gate] = self.namespaces;
        let [agent_route, gate_route] = self.route;
        let [agent_netfilter, gate_netfilter] = self.netfilter;
        let [agent_diag, gate_diag] = self.diag;
        for side in Side::BOTH {
            for source in Source::ALL {
                if !self.watches.iter().any(|watch| watch.side == side && watch.source == source) {
                    return Err(FlattenError::Missing("watches"));
                }
            }
        }
        Ok(Airlock {
            agent: agent.ok_or(FlattenError::Missing("agent namespace"))?,
            gate: gate.ok_or(FlattenError::Missing("gate namespace"))?,
            user: self.user,
            listeners: Listeners {
                transparent: both(self.transparent, "transparent listeners")?,
                explicit: both(self.explicit, "explicit listeners")?,
                dns_udp: self.dns_udp,
                dns_tcp: self.dns_tcp,
                nflog: both(self.nflog, "NFLOG sockets")?,
            },
            watches: Watches(self.watches),
            sysctls: self.sysctls,
            desks: Desks {
                agent: desk(agent_route, agent_netfilter, agent_diag)?,
                gate: desk(gate_route, gate_netfilter, gate_diag)?,
            },
            connections: self.connections,
        })
    }
}

fn both<T>(found: Vec<T>, what: &'static str) -> Result<Vec<T>, FlattenError> {
    if found.len() == 2 { Ok(found) } else { Err(FlattenError::Missing(what)) }
}

fn desk(route: Option<OwnedFd>, netfilter: Option<OwnedFd>, diag: Option<OwnedFd>) -> Result<Desk, FlattenError> {
    let open = |fd: Option<OwnedFd>| fd.map(Wire::from).ok_or(FlattenError::Missing("desks"));
    Ok(Desk { route: open(route)?, netfilter: open(netfilter)?, diag: open(diag)? })
}
