//! Is what the survey found what the layout says, and nothing else?
//!
//! Pure: a survey and a layout in, deviations out. It also accepts what kernels add by themselves: fallback
//! devices that are down, and the routes that come with an address.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_route::link::LinkFlags;
use serde::{Deserialize, Serialize};

use crate::layout::{Layout, Side};
use crate::ruleset::ruleset;
use crate::survey::route::hex;
use crate::survey::{Address, Link, Listener, Neighbour, Route, Rule, State, Survey, rules};
use crate::sysctl;

/// Something that is not as the layout says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation {
    /// In which namespace.
    pub side: Side,
    /// What, and how.
    pub what: String,
}

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} namespace: {}", self.side, self.what)
    }
}

/// Whether both namespaces are exactly as the layout says.
pub fn conforms(survey: &Survey, layout: &Layout) -> Result<(), Vec<Deviation>> {
    let mut deviations = Vec::new();
    for side in Side::BOTH {
        let found = state(layout, side, &survey.of(side).state);
        deviations.extend(found.into_iter().map(|what| Deviation { side, what }));
    }
    if deviations.is_empty() { Ok(()) } else { Err(deviations) }
}

fn state(layout: &Layout, side: Side, state: &State) -> Vec<String> {
    let mut found = links(layout, side, &state.links);
    found.extend(differences("address", &addresses(layout, side), &state.addresses));
    let made: Vec<Route> =
        state.routes.iter().filter(|route| !comes_with_addresses(layout, side, route)).cloned().collect();
    found.extend(differences("route", &routes(layout, side), &made));
    let of_unicast: Vec<Rule> = state.rules.iter().filter(|rule| !is_multicast_default(rule)).cloned().collect();
    found.extend(differences("routing rule", &routing_rules(layout, side), &of_unicast));
    found.extend(differences("neighbour", &neighbours(layout, side), &state.neighbours));
    found.extend(sysctls(layout, side, &state.sysctls));
    found.extend(packet_rules(layout, side, state));
    found.extend(differences("listener", &listeners(layout, side), &state.listeners));
    found
}

/// Each that is missing and each that is too much.
fn differences<T: PartialEq + std::fmt::Debug>(what: &str, expected: &[T], found: &[T]) -> Vec<String> {
    let missing = expected.iter().filter(|it| !found.contains(it)).map(|it| format!("{what} missing: {it:?}"));
    let unexpected = found.iter().filter(|it| !expected.contains(it)).map(|it| format!("{what} unexpected: {it:?}"));
    let mut all: Vec<String> = missing.chain(unexpected).collect();
    if all.is_empty() && expected.len() != found.len() {
        all.push(format!("{what} twice: {} found, {} expected", found.len(), expected.len()));
    }
    all
}

fn links(layout: &Layout, side: Side, found: &[Link]) -> Vec<String> {
    let mut all: Vec<String> = found.iter().flat_map(|it| link(layout, side, it)).collect();
    for name in ["lo", &layout.end(side).device] {
        if found.iter().filter(|it| it.name == name).count() != 1 {
            all.push(format!("there is not exactly one device {name}"));
        }
    }
    all
}

/// What is wrong with one device.
pub(crate) fn link(layout: &Layout, side: Side, it: &Link) -> Vec<String> {
    let end = layout.end(side);
    let flag = |flag: LinkFlags| it.flags & flag.bits() != 0;
    let mut wrong = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("device {}: {what}", it.name));
        }
    };
    check(it.controller.is_none(), "belongs to another device");
    check(!it.xdp, "has an XDP program");
    if it.name == "lo" {
        check(flag(LinkFlags::Loopback) && it.kind.is_none(), "is not loopback");
        check(it.up(), "is down");
    } else if it.name == end.device {
        check(it.kind.as_deref() == Some("veth"), "is no veth");
        check(it.index == end.index, "has another index");
        check(it.up(), "is down");
        check(flag(LinkFlags::Noarp), "asks for neighbours");
        check(!flag(LinkFlags::Multicast), "takes part in multicast");
        check(!flag(LinkFlags::Promisc), "is promiscuous");
        check(it.mtu == Some(layout.mtu), "has another MTU");
        check(it.address == hex(&end.mac), "has another hardware address");
    } else {
        check(!it.up(), "should not be there, and is up");
        check(it.kind.as_deref().is_some_and(is_fallback), "should not be there");
    }
    wrong
}

/// Drivers that put a device into each new namespace.
pub(crate) fn is_fallback(kind: &str) -> bool {
    const FALLBACK: [&str; 9] = ["ifb", "sit", "ipip", "gre", "gretap", "erspan", "ip6tnl", "vti", "vti6"];
    FALLBACK.contains(&kind) || kind == "ip6gre"
}

/// Flags IFA_F_PERMANENT and IFA_F_NOPREFIXROUTE; IFA_F_NODAD, which only IPv6 keeps.
const FIXED: u32 = 0x80 | 0x200;
const NODAD: u32 = 0x02;

/// Scopes of rtnetlink.
const UNIVERSE: u8 = 0;
const LINK: u8 = 253;
const HOST: u8 = 254;

fn addresses(layout: &Layout, side: Side) -> Vec<Address> {
    let end = layout.end(side);
    let address = |device: &str, address: String, scope, flags| Address {
        device: device.to_owned(),
        address,
        others: Vec::new(),
        scope,
        flags,
    };
    vec![
        address(&end.device, format!("{}/32", end.v4), UNIVERSE, FIXED),
        address(&end.device, format!("{}/128", end.v6), UNIVERSE, FIXED | NODAD),
        address("lo", "127.0.0.1/8".into(), HOST, 0x80),
        address("lo", "::1/128".into(), HOST, 0x80),
    ]
}

/// RTPROT_KERNEL and RTPROT_STATIC.
const KERNEL: u8 = 2;
const STATIC: u8 = 4;

/// Route types unicast and local, and tables local and main.
const UNICAST: u8 = 1;
const LOCAL: u8 = 2;
const LOCAL_TABLE: u32 = 255;
const MAIN_TABLE: u32 = 254;

/// The metric that the kernel gives IPv6 routes.
const METRIC6: u32 = 1024;

fn routes(layout: &Layout, side: Side) -> Vec<Route> {
    let (end, peer) = (layout.end(side), layout.peer(side));
    let route = |address: IpAddr, destination: String| Route {
        family: if address.is_ipv4() { "v4" } else { "v6" }.to_owned(),
        table: MAIN_TABLE,
        destination,
        kind: UNICAST,
        protocol: STATIC,
        scope: UNIVERSE,
        gateway: None,
        device: Some(end.device.clone()),
        source: None,
        priority: address.is_ipv6().then_some(METRIC6),
        more: Vec::new(),
    };
    let to_peer4 =
        Route { scope: LINK, source: Some(end.v4.to_string()), ..route(peer.v4.into(), format!("{}/32", peer.v4)) };
    let to_peer6 = route(peer.v6.into(), format!("{}/128", peer.v6));
    let by_default = |address: IpAddr| match side {
        Side::Agent => Route { gateway: Some(address.to_string()), ..route(address, "default".into()) },
        Side::Gate => Route {
            table: layout.table,
            kind: LOCAL,
            scope: if address.is_ipv4() { HOST } else { UNIVERSE },
            device: Some("lo".into()),
            ..route(address, "default".into())
        },
    };
    vec![to_peer4, to_peer6, by_default(peer.v4.into()), by_default(peer.v6.into())]
}

/// Whether the kernel made this route because of an address that is expected.
fn comes_with_addresses(layout: &Layout, side: Side, route: &Route) -> bool {
    let end = layout.end(side);
    let own = [format!("{}/32", end.v4), format!("{}/128", end.v6), "::1/128".into(), "ff00::/8".into()];
    let loopback = route.destination.starts_with("127.") && route.device.as_deref() == Some("lo");
    let of_kernel = route.protocol == KERNEL && route.gateway.is_none() && route.more.is_empty();
    of_kernel
        && (route.table == LOCAL_TABLE || route.destination == "::1/128")
        && (loopback || own.contains(&route.destination))
}

fn routing_rules(layout: &Layout, side: Side) -> Vec<Rule> {
    let rule = |family: &str, priority, table, device: Option<&str>| Rule {
        family: family.to_owned(),
        priority,
        table,
        action: 1,
        device: device.map(str::to_owned),
        more: Vec::new(),
    };
    let mut rules = vec![
        rule("v4", 0, LOCAL_TABLE, None),
        rule("v4", 32766, MAIN_TABLE, None),
        rule("v4", 32767, 253, None),
        rule("v6", 0, LOCAL_TABLE, None),
        rule("v6", 32766, MAIN_TABLE, None),
    ];
    if side == Side::Gate {
        let to_listeners = |family| rule(family, layout.rule_priority, layout.table, Some(&layout.gate.device));
        rules.extend([to_listeners("v4"), to_listeners("v6")]);
    }
    rules
}

/// A rule that kernels with multicast routing tables have in each namespace. It concerns no unicast packet.
fn is_multicast_default(rule: &Rule) -> bool {
    let table = match rule.family.as_str() {
        "v4 multicast" => 253,
        "v6 multicast" => MAIN_TABLE,
        _ => return false,
    };
    rule.priority == 32767 && rule.table == table && rule.action == 1 && rule.device.is_none() && rule.more.is_empty()
}

fn neighbours(layout: &Layout, side: Side) -> Vec<Neighbour> {
    let peer = layout.peer(side);
    let neighbour = |address: IpAddr| Neighbour {
        device: layout.end(side).device.clone(),
        address: address.to_string(),
        hardware: hex(&peer.mac),
    };
    vec![neighbour(peer.v4.into()), neighbour(peer.v6.into())]
}

fn sysctls(layout: &Layout, side: Side, found: &BTreeMap<String, String>) -> Vec<String> {
    let expected = sysctl::expected(layout, side);
    let wrong = expected.into_iter().filter_map(|(path, value)| match found.get(&path) {
        Some(there) if *there == value => None,
        Some(there) => Some(format!("{path} is {there:?}, not {value:?}")),
        None => Some(format!("{path} was not read")),
    });
    wrong.collect()
}

fn packet_rules(layout: &Layout, side: Side, state: &State) -> Vec<String> {
    let expected = match rules::expected(&ruleset(layout, side)) {
        Ok(expected) => expected,
        Err(error) => return vec![error.to_string()],
    };
    let found = &state.ruleset;
    let mut wrong = differences("table", &expected.tables, &found.tables);
    wrong.extend(differences("chain", &expected.chains, &found.chains));
    wrong.extend(differences("packet rule", &expected.rules, &found.rules));
    wrong.extend(differences("object", &expected.objects, &found.objects));
    wrong.extend(differences("set", &expected.sets, &found.sets));
    if wrong.is_empty() && expected.rules != found.rules {
        wrong.push("packet rules are in another order".into());
    }
    wrong
}

fn listeners(layout: &Layout, side: Side) -> Vec<Listener> {
    let on = |protocol: i32, at: SocketAddr| Listener { protocol: protocol as u8, at, device: 0 };
    let (tcp, dns): (Vec<SocketAddr>, Vec<SocketAddr>) = match side {
        Side::Gate => ([layout.transparent(), layout.explicit()].concat(), layout.dns().to_vec()),
        Side::Agent => {
            let at = |address: &IpAddr| SocketAddr::new(*address, layout.dns_port);
            (Vec::new(), layout.loopback_resolvers.iter().map(at).collect())
        }
    };
    let tcp = tcp.iter().chain(&dns).map(|at| on(libc::IPPROTO_TCP, *at));
    tcp.chain(dns.iter().map(|at| on(libc::IPPROTO_UDP, *at))).collect()
}
