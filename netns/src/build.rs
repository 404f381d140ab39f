//! How is the airlock built?
//!
//! By a process that has one thread when it begins, CAP_SYS_ADMIN and CAP_NET_ADMIN in its user namespace, which ends soon after:
//! it is left in the agent namespace. Settings and rules come before links are up, so no packet ever moves without them.

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::Builder;
use std::time::Duration;

use netlink_packet_netfilter::NetfilterMessage;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, State as LinkState};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use nftables::schema::Nftables;
use nix::errno::Errno;

use crate::airlock::{Airlock, Desk, Desks, Listeners, Sysctl, Watches};
pub use crate::build_error::BuildError;
use crate::connections::Connections;
use crate::encode;
use crate::enter::{enter_network_namespace, reenter_network_namespace};
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

/// How long a link may take to come up after the last sign of life.
const PATIENCE: Duration = Duration::from_secs(2);

/// Builds the pair and everything in it.
pub fn build(layout: &Layout, owner: Owner) -> Result<Airlock, BuildError> {
    build_from(layout, owner, enter_network_namespace()?)
}

/// The same from the agent namespace, which has just been made, and in which the caller is.
pub fn build_from(layout: &Layout, owner: Owner, agent: OwnedFd) -> Result<Airlock, BuildError> {
    build_around(layout, owner, || {
        let begun = begin(agent, Side::Agent, Desk::open().map_err(wire(Side::Agent))?)?;
        sysctl::open_low_ports(Side::Agent)?;
        Ok(begun)
    })
}

/// Builds everything around an agent namespace, in which the caller is, and in which nothing leads anywhere when it has begun.
///
/// Both sides at once: neither needs the other's but for the pair, which is made in between, and nothing moves before both ends are up. The
/// kernel takes packet rules, which take longest, for both at once.
pub(crate) fn build_around(
    layout: &Layout,
    owner: Owner,
    agent: impl FnOnce() -> Result<Begun, BuildError>,
) -> Result<Airlock, BuildError> {
    let user = match owner {
        Owner::Inherited => None,
        Owner::Own(namespace) => Some(namespace),
    };
    let (agent, gate) = both(agent, || {
        let namespace = enter_network_namespace()?;
        begin(namespace, Side::Gate, Desk::open().map_err(wire(Side::Gate))?)
    })?;
    send(&gate.desk, Side::Gate, vec![links::veth(layout, agent.namespace.as_fd())])?;
    let (agent, gate) = both(
        || furnish(layout, Side::Agent, agent),
        || {
            reenter_network_namespace(&gate.namespace)?;
            furnish(layout, Side::Gate, gate)
        },
    )?;
    let desks = Desks { agent: agent.desk, gate: gate.desk };
    let watches = Watches(agent.watches.into_iter().chain(gate.watches).collect());
    settle(layout, &desks, &watches)?;
    Ok(Airlock {
        agent: agent.namespace,
        gate: gate.namespace,
        user,
        listeners: united(agent.listeners, gate.listeners),
        watches,
        sysctls: agent.sysctls.into_iter().chain(gate.sysctls).collect(),
        desks,
        connections: Some(Connections::open().map_err(wire(Side::Agent))?),
    })
}

/// Does one thing here and another in a thread beside it. Where both fail, the other one tells why: when the gate's namespace ends, the agent's end of the pair goes with
/// it.
fn both<A, B: Send>(
    here: impl FnOnce() -> Result<A, BuildError>,
    beside: impl FnOnce() -> Result<B, BuildError> + Send,
) -> Result<(A, B), BuildError> {
    std::thread::scope(|scope| {
        let beside = Builder::new().spawn_scoped(scope, beside).map_err(BuildError::Thread)?;
        let here = here();
        let beside = beside.join().unwrap_or_else(|_| Err(BuildError::Thread(io::Error::other("it broke"))))?;
        Ok((here?, beside))
    })
}

/// One side, with all that is in it.
struct Furnished {
    namespace: OwnedFd,
    desk: Desk,
    watches: [Watch; 3],
    sysctls: Vec<Sysctl>,
    listeners: Listeners,
}

/// Rules, links, addresses, routes and sockets of the namespace that the calling thread is in, which has its end of the pair.
fn furnish(layout: &Layout, side: Side, begun: Begun) -> Result<Furnished, BuildError> {
    let Begun { namespace, desk, watch, mut sysctls } = begun;
    sysctls.extend(sysctl::of_device(layout, side)?);
    load(&desk, side, &ruleset(layout, side))?;
    send(&desk, side, links::requests(layout, side))?;
    let rules = Watch::open_rules(side).map_err(wire(side))?;
    let (dns_udp, dns_tcp) = sockets::dns(layout, side)?;
    let (transparent, explicit) = match side {
        Side::Agent => Default::default(),
        Side::Gate => (sockets::transparent(layout)?, sockets::explicit(layout)?),
    };
    let streams = [&transparent, &explicit, &dns_tcp].into_iter().flatten().map(AsFd::as_fd);
    let listening: Vec<_> = streams.chain(dns_udp.iter().map(AsFd::as_fd)).collect();
    let ends = Watch::open_sockets(side, &listening).map_err(wire(side))?;
    let nflog = vec![nflog::open(layout).map_err(wire(side))?];
    let listeners = Listeners { transparent, explicit, dns_udp, dns_tcp, nflog };
    Ok(Furnished { namespace, desk, watches: [watch, rules, ends], sysctls, listeners })
}

/// Each kind in its order.
fn united(agent: Listeners, gate: Listeners) -> Listeners {
    Listeners {
        transparent: gate.transparent,
        explicit: gate.explicit,
        dns_udp: gate.dns_udp.into_iter().chain(agent.dns_udp).collect(),
        dns_tcp: gate.dns_tcp.into_iter().chain(agent.dns_tcp).collect(),
        nflog: agent.nflog.into_iter().chain(gate.nflog).collect(),
    }
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
    watch: Watch,
    sysctls: Vec<Sysctl>,
}

/// The namespace that the caller is in, with desk and watch opened before anything is made in it.
pub(crate) fn begin(namespace: OwnedFd, side: Side, desk: Desk) -> Result<Begun, BuildError> {
    let watch = Watch::open_routes(side).map_err(wire(side))?;
    let sysctls = sysctl::prepare(side)?;
    remove_fallback_devices(&desk, side)?;
    Ok(Begun { namespace, desk, watch, sysctls })
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
