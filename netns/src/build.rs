//! How is the airlock built?
//!
//! By a process that has one thread when it begins, CAP_SYS_ADMIN and CAP_NET_ADMIN in its user namespace, which ends soon after:
//! it is left in the agent namespace. Settings and rules come before links are up, so no packet ever moves without them.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::Builder;
use std::time::Duration;

use netlink_packet_netfilter::NetfilterMessage;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, State as LinkState};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use nftables::schema::Nftables;
use nix::errno::Errno;
use thiserror::Error;

use crate::airlock::{Airlock, Desk, Desks, Listeners, Sysctl, Watches};
use crate::connections::Connections;
use crate::encode::{self, EncodeError};
use crate::enter::{EnterError, enter_network_namespace, reenter_network_namespace};
use crate::layout::{Layout, Side};
use crate::links::{self, LOOPBACK, Request};
use crate::ruleset::ruleset;
use crate::watch::Watch;
use crate::wire::WireError;
use crate::{nflog, sockets, sysctl};

/// Who owns the namespaces.
#[derive(Debug)]
pub enum Owner {
    /// The user namespace that the process was started in: root built them.
    Inherited,
    /// A user namespace made for the purpose by [`crate::enter::enter_user_namespace`].
    Own(OwnedFd),
}

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

/// How long a link may take to come up after the last sign of life.
const PATIENCE: Duration = Duration::from_secs(2);

/// Builds the pair and everything in it.
pub fn build(layout: &Layout, owner: Owner) -> Result<Airlock, BuildError> {
    build_from(layout, owner, enter_network_namespace()?)
}

/// The same from the agent namespace, which has just been made, and in which the caller is.
pub fn build_from(layout: &Layout, owner: Owner, agent: OwnedFd) -> Result<Airlock, BuildError> {
    let begun = begin(agent, Side::Agent)?;
    sysctl::open_low_ports(Side::Agent)?;
    build_around(layout, owner, begun)
}

/// Builds everything around an agent namespace in which nothing leads anywhere yet.
pub(crate) fn build_around(layout: &Layout, owner: Owner, begun: Begun) -> Result<Airlock, BuildError> {
    let user = match owner {
        Owner::Inherited => None,
        Owner::Own(namespace) => Some(namespace),
    };
    let (agent, agent_desk) = (begun.namespace, begun.desk);
    let (mut watches, mut sysctls) = (Vec::from(begun.watches), begun.sysctls);
    let begun = begin(enter_network_namespace()?, Side::Gate)?;
    let (gate, gate_desk) = (begun.namespace, begun.desk);
    watches.extend(begun.watches);
    sysctls.extend(begun.sysctls);
    let mut desks = Desks { agent: agent_desk, gate: gate_desk };
    send(&desks.gate, Side::Gate, vec![links::veth(layout, agent.as_fd())])?;
    sysctls.extend(sysctl::of_device(layout, Side::Gate)?);
    reenter_network_namespace(&agent)?;
    sysctls.extend(sysctl::of_device(layout, Side::Agent)?);
    furnish(layout, &mut desks)?;

    reenter_network_namespace(&gate)?;
    let (mut dns_udp, mut dns_tcp) = sockets::dns(layout, Side::Gate)?;
    let transparent = sockets::transparent(layout)?;
    let explicit = sockets::explicit(layout)?;
    let gate_log = nflog::open(layout).map_err(wire(Side::Gate))?;
    let gate_sockets: Vec<_> = transparent
        .iter()
        .chain(&explicit)
        .chain(&dns_tcp)
        .map(AsFd::as_fd)
        .chain(dns_udp.iter().map(AsFd::as_fd))
        .collect();
    watches.push(Watch::open_sockets(Side::Gate, &gate_sockets).map_err(wire(Side::Gate))?);

    reenter_network_namespace(&agent)?;
    let (loopback_udp, loopback_tcp) = sockets::dns(layout, Side::Agent)?;
    let agent_sockets: Vec<_> =
        loopback_tcp.iter().map(AsFd::as_fd).chain(loopback_udp.iter().map(AsFd::as_fd)).collect();
    watches.push(Watch::open_sockets(Side::Agent, &agent_sockets).map_err(wire(Side::Agent))?);
    let watches = Watches(watches);
    dns_udp.extend(loopback_udp);
    dns_tcp.extend(loopback_tcp);
    let connections = Some(Connections::open().map_err(wire(Side::Agent))?);
    let nflog = vec![nflog::open(layout).map_err(wire(Side::Agent))?, gate_log];

    let listeners = Listeners { transparent, explicit, dns_udp, dns_tcp, nflog };
    settle(layout, &desks, &watches)?;
    Ok(Airlock { agent, gate, user, listeners, watches, sysctls, desks, connections })
}

/// Rules, links, addresses and routes of both sides at once: neither needs the other's, and nothing moves before both ends are up. Packet
/// rules, which take longest, the kernel takes for both at once.
fn furnish(layout: &Layout, Desks { agent, gate }: &mut Desks) -> Result<(), BuildError> {
    let furnish = |desk: &mut Desk, side| {
        load(desk, side, &ruleset(layout, side))?;
        send(desk, side, links::requests(layout, side))
    };
    std::thread::scope(|scope| {
        let beside = Builder::new().spawn_scoped(scope, || furnish(gate, Side::Gate)).map_err(BuildError::Thread)?;
        furnish(agent, Side::Agent)?;
        beside.join().unwrap_or_else(|_| Err(BuildError::Thread(io::Error::other("it broke"))))
    })
}

/// Loads a model into the namespace of the desk: all of it, or nothing.
pub fn load(desk: &Desk, side: Side, model: &Nftables<'_>) -> Result<(), BuildError> {
    let messages = encode::messages(model).map_err(|source| BuildError::Encode { side, source })?;
    desk.netfilter
        .perform_encoded::<NetfilterMessage>(|first| encode::batch(messages, first))
        .map_err(|error| rule_refused(side, model, error))
}

/// A namespace without links.
pub(crate) struct Begun {
    namespace: OwnedFd,
    desk: Desk,
    watches: [Watch; 2],
    sysctls: Vec<Sysctl>,
}

/// The namespace that the caller is in, with desk and watches opened before anything is made in it.
pub(crate) fn begin(namespace: OwnedFd, side: Side) -> Result<Begun, BuildError> {
    let desk = Desk::open().map_err(wire(side))?;
    let watches = Watch::open_both(side).map_err(wire(side))?;
    let sysctls = sysctl::prepare(side)?;
    remove_fallback_devices(&desk, side)?;
    Ok(Begun { namespace, desk, watches, sysctls })
}

/// Removes what can be removed. The rest is down, stays down, and the survey lists it.
fn remove_fallback_devices(desk: &Desk, side: Side) -> Result<(), BuildError> {
    let links = desk.route.dump(&RouteNetlinkMessage::GetLink(LinkMessage::default())).map_err(wire(side))?;
    for link in links {
        let RouteNetlinkMessage::NewLink(link) = link else {
            continue;
        };
        if link.header.index == LOOPBACK {
            continue;
        }
        let name = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.as_str()),
            _ => None,
        });
        let removal = links::remove(link.header.index, name.unwrap_or("?"));
        // Some cannot be removed, by design of their drivers; the survey shows whether they are down.
        let _kept = desk.route.perform(vec![(removal.flags, removal.message)]);
    }
    Ok(())
}

fn send(desk: &Desk, side: Side, requests: Vec<Request>) -> Result<(), BuildError> {
    let named: Vec<_> = requests.iter().map(|request| (request.step, request.device.clone())).collect();
    let messages = requests.into_iter().map(|request| (request.flags, request.message)).collect();
    desk.route.perform(messages).map_err(|error| match error {
        WireError::Refused { index, errno } => {
            let (step, device) = named.into_iter().nth(index).unwrap_or(("unknown request", String::new()));
            link_refused(step, device, side, errno)
        }
        source => BuildError::Netlink { side, source },
    })
}

fn link_refused(step: &'static str, device: String, side: Side, errno: Errno) -> BuildError {
    match errno {
        Errno::EOPNOTSUPP if step == links::MAKE_VETH => BuildError::NoVeth { errno },
        errno => BuildError::Link { step, device, side, errno },
    }
}

fn rule_refused(side: Side, model: &Nftables<'_>, error: WireError) -> BuildError {
    let (index, errno) = match error {
        WireError::Refused { index, errno } => (index, errno),
        source => return BuildError::Netlink { side, source },
    };
    let entry = model.objects.get(index).and_then(|object| serde_json::to_string(object).ok());
    match (entry, errno) {
        (Some(entry), Errno::ENOENT) if entry.contains("tproxy") => BuildError::NoTproxy { errno },
        // The batch as a whole was not understood: there is nobody to understand it.
        (None, errno) | (Some(_), errno @ (Errno::EOPNOTSUPP | Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT)) => {
            BuildError::NoNfTables { errno }
        }
        (Some(entry), errno) => BuildError::Rule { side, entry, errno },
    }
}

/// Waits until both ends are up and all IPv6 addresses taken, loopback's too: the survey reads them all, and each that
/// came later would count as a change. The kernel does it a little after it was asked to.
fn settle(layout: &Layout, desks: &Desks, watches: &Watches) -> Result<(), BuildError> {
    for side in Side::BOTH {
        let (end, desk) = (layout.end(side), desks.of(side));
        let settled = || Ok(is_up(desk, &end.device)? && has_taken(desk, &[Ipv6Addr::LOCALHOST, end.v6])?);
        while !settled().map_err(wire(side))? {
            if !watches.route(side).wait(PATIENCE).map_err(wire(side))? {
                return Err(BuildError::Down { side, device: end.device.clone() });
            }
        }
    }
    // All that was announced so far is our own work, and the survey will read its result.
    for watch in &watches.0 {
        watch.discard();
    }
    Ok(())
}

fn is_up(desk: &Desk, device: &str) -> Result<bool, WireError> {
    let links = desk.route.dump(&RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    Ok(links.into_iter().any(|link| {
        let RouteNetlinkMessage::NewLink(link) = link else {
            return false;
        };
        link.attributes.contains(&LinkAttribute::IfName(device.to_owned()))
            && link.attributes.contains(&LinkAttribute::OperState(LinkState::Up))
    }))
}

/// Even without duplicate detection an IPv6 address is announced again later, by a worker of the kernel's, and its
/// local route after that, which is the last of it.
fn has_taken(desk: &Desk, addresses: &[Ipv6Addr]) -> Result<bool, WireError> {
    let routes = desk.route.dump(&RouteNetlinkMessage::GetRoute(RouteMessage::default()))?;
    Ok(all_local(&routes, addresses))
}

fn all_local(routes: &[RouteNetlinkMessage], addresses: &[Ipv6Addr]) -> bool {
    let is_local = |address: &Ipv6Addr| {
        let destination = RouteAttribute::Destination(RouteAddress::Inet6(*address));
        routes.iter().any(|route| {
            let RouteNetlinkMessage::NewRoute(route) = route else {
                return false;
            };
            route.header.kind == RouteType::Local && route.attributes.contains(&destination)
        })
    };
    addresses.iter().all(is_local)
}

pub(crate) fn wire(side: Side) -> impl Fn(WireError) -> BuildError {
    move |source| BuildError::Netlink { side, source }
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
