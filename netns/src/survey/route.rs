//! Which links, addresses, routes, routing rules and neighbours are there, in canonical form?

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use netlink_packet_route::rule::{RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};
use serde::{Deserialize, Serialize};

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// What drives it: `veth`, or nothing for loopback.
    pub kind: Option<String>,
    /// The flags of `ifinfomsg`, as in linux/if.h.
    pub flags: u32,
    /// Its MTU.
    pub mtu: Option<u32>,
    /// Its hardware address, in hex.
    pub address: String,
    /// The index of the device that it belongs to.
    pub controller: Option<u32>,
    /// Its queueing discipline.
    pub queue: Option<String>,
    /// Whether an XDP program is attached.
    pub xdp: bool,
}

impl Link {
    /// Whether it is up.
    pub fn up(&self) -> bool {
        self.flags & LinkFlags::Up.bits() != 0
    }
}

/// An address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// On which device.
    pub device: String,
    /// Address and prefix length.
    pub address: String,
    /// The other end, or the broadcast address, where there is one.
    pub others: Vec<String>,
    /// Its scope, as in linux/rtnetlink.h.
    pub scope: u8,
    /// Its flags, as in linux/if_addr.h.
    pub flags: u32,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// `v4` or `v6`.
    pub family: String,
    /// The table's number.
    pub table: u32,
    /// The destination: address and prefix length, or `default`.
    pub destination: String,
    /// Its type, as in linux/rtnetlink.h (1 unicast, 2 local, 3 broadcast, 5 multicast, ...).
    pub kind: u8,
    /// Who made it, as in linux/rtnetlink.h (2 the kernel, 4 the builder).
    pub protocol: u8,
    /// Its scope.
    pub scope: u8,
    /// The next hop.
    pub gateway: Option<String>,
    /// The device.
    pub device: Option<String>,
    /// The source address to prefer.
    pub source: Option<String>,
    /// The metric.
    pub priority: Option<u32>,
    /// Anything else that it says.
    pub more: Vec<String>,
}

/// A routing rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `v4`, `v6`, `v4 multicast` or `v6 multicast`.
    pub family: String,
    /// Its priority.
    pub priority: u32,
    /// The table that it leads to.
    pub table: u32,
    /// Its action, as in linux/fib_rules.h (1: look up the table).
    pub action: u8,
    /// The device that the packet came in by.
    pub device: Option<String>,
    /// Anything else that it says.
    pub more: Vec<String>,
}

/// A permanent neighbour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Neighbour {
    /// On which device.
    pub device: String,
    /// Its address.
    pub address: String,
    /// Its hardware address, in hex.
    pub hardware: String,
}

pub(crate) fn all_links() -> Message {
    Message::GetLink(LinkMessage::default())
}

pub(crate) fn all_addresses() -> Message {
    Message::GetAddress(AddressMessage::default())
}

pub(crate) fn all_routes() -> Message {
    Message::GetRoute(RouteMessage::default())
}

pub(crate) fn all_rules() -> Message {
    Message::GetRule(RuleMessage::default())
}

pub(crate) fn all_neighbours() -> Message {
    Message::GetNeighbour(NeighbourMessage::default())
}

pub(crate) fn links(dump: Vec<Message>) -> Vec<Link> {
    dump.iter().filter_map(|message| if let Message::NewLink(it) = message { Some(link(it)) } else { None }).collect()
}

pub(crate) fn addresses(dump: Vec<Message>, links: &[Link]) -> Vec<Address> {
    let one = |message: &Message| {
        if let Message::NewAddress(it) = message { Some(address(it, links)) } else { None }
    };
    dump.iter().filter_map(one).collect()
}

pub(crate) fn routes(dump: Vec<Message>, links: &[Link]) -> Vec<Route> {
    let one = |message: &Message| {
        if let Message::NewRoute(it) = message { Some(route(it, links)) } else { None }
    };
    dump.iter().filter_map(one).collect()
}

pub(crate) fn rules(dump: Vec<Message>) -> Vec<Rule> {
    dump.iter().filter_map(|message| if let Message::NewRule(it) = message { Some(rule(it)) } else { None }).collect()
}

/// The permanent ones: the others are the kernel's cache.
pub(crate) fn neighbours(dump: Vec<Message>, links: &[Link]) -> Vec<Neighbour> {
    let one = |message: &Message| match message {
        Message::NewNeighbour(it) if it.header.state == NeighbourState::Permanent => Some(neighbour(it, links)),
        _ => None,
    };
    dump.iter().filter_map(one).collect()
}

pub(crate) fn link(message: &LinkMessage) -> Link {
    let mut link = Link {
        name: String::new(),
        index: message.header.index,
        kind: None,
        flags: message.header.flags.bits(),
        mtu: None,
        address: String::new(),
        controller: None,
        queue: None,
        xdp: false,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu = Some(*mtu),
            LinkAttribute::Address(bytes) => link.address = hex(bytes),
            LinkAttribute::Controller(index) => link.controller = Some(*index),
            LinkAttribute::Qdisc(name) => link.queue = Some(name.clone()),
            LinkAttribute::Xdp(parts) => link.xdp = attached(parts),
            LinkAttribute::LinkInfo(infos) => link.kind = infos.iter().find_map(kind),
            _ => {}
        }
    }
    link
}

fn kind(info: &LinkInfo) -> Option<String> {
    if let LinkInfo::Kind(kind) = info { Some(kind.to_string()) } else { None }
}

fn attached(parts: &[netlink_packet_route::link::LinkXdp]) -> bool {
    use netlink_packet_route::link::{LinkXdp, XdpAttached};
    parts.iter().any(|part| matches!(part, LinkXdp::Attached(how) if *how != XdpAttached::None))
}

fn address(message: &AddressMessage, links: &[Link]) -> Address {
    let (mut local, mut peer, mut others) = (None, None, Vec::new());
    let mut flags = u32::from(message.header.flags.bits());
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(address.to_string()),
            AddressAttribute::Address(address) => peer = Some(address.to_string()),
            AddressAttribute::Broadcast(address) => others.push(address.to_string()),
            AddressAttribute::Flags(all) => flags = all.bits(),
            _ => {}
        }
    }
    if local.is_some() && local != peer {
        others.extend(peer.clone());
    }
    let address = local.or(peer).unwrap_or_default();
    Address {
        device: device(message.header.index, links),
        address: format!("{address}/{}", message.header.prefix_len),
        others,
        scope: message.header.scope.into(),
        flags,
    }
}

fn route(message: &RouteMessage, links: &[Link]) -> Route {
    let header = &message.header;
    let mut route = Route {
        family: family(header.address_family),
        table: header.table.into(),
        destination: "default".into(),
        kind: header.kind.into(),
        protocol: header.protocol.into(),
        scope: header.scope.into(),
        gateway: None,
        device: None,
        source: None,
        priority: None,
        more: Vec::new(),
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::Destination(to) => {
                route.destination = format!("{}/{}", text(to), header.destination_prefix_length);
            }
            RouteAttribute::Gateway(gateway) => route.gateway = Some(text(gateway)),
            RouteAttribute::Oif(index) => route.device = Some(device(*index, links)),
            RouteAttribute::PrefSource(source) => route.source = Some(text(source)),
            RouteAttribute::Priority(metric) => route.priority = Some(*metric),
            // Times and counts.
            RouteAttribute::CacheInfo(_) | RouteAttribute::Preference(_) => {}
            other => route.more.push(format!("{other:?}")),
        }
    }
    route.more.sort();
    route
}

fn rule(message: &RuleMessage) -> Rule {
    let mut rule = Rule {
        family: family(message.header.family),
        priority: 0,
        table: message.header.table.into(),
        action: message.header.action.into(),
        device: None,
        more: Vec::new(),
    };
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => rule.priority = *priority,
            RuleAttribute::Table(table) => rule.table = *table,
            RuleAttribute::Iifname(name) => rule.device = Some(name.clone()),
            // Not set, and who made it: neither says what it does.
            RuleAttribute::SuppressPrefixLen(u32::MAX) | RuleAttribute::Protocol(_) => {}
            other => rule.more.push(format!("{other:?}")),
        }
    }
    let flags = message.header.flags.bits();
    if flags != 0 {
        rule.more.push(format!("flags {flags}"));
    }
    rule.more.sort();
    rule
}

pub(crate) fn neighbour(message: &NeighbourMessage, links: &[Link]) -> Neighbour {
    let mut neighbour =
        Neighbour { device: device(message.header.ifindex, links), address: String::new(), hardware: String::new() };
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => neighbour.address = v4.to_string(),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => neighbour.address = v6.to_string(),
            NeighbourAttribute::LinkLayerAddress(bytes) => neighbour.hardware = hex(bytes),
            _ => {}
        }
    }
    neighbour
}

/// What a notification is about, for people.
pub(crate) fn name(message: &Message) -> String {
    match message {
        Message::NewLink(it) | Message::DelLink(it) => format!("link {}", link(it).name),
        Message::NewAddress(it) | Message::DelAddress(it) => {
            format!("address {}", address(it, &[]).address)
        }
        Message::NewRoute(it) | Message::DelRoute(it) => {
            let route = route(it, &[]);
            format!("route to {} in table {}", route.destination, route.table)
        }
        Message::NewRule(it) | Message::DelRule(it) => {
            let rule = rule(it);
            format!("routing rule {} to table {}", rule.priority, rule.table)
        }
        Message::NewNeighbour(it) | Message::DelNeighbour(it) => {
            format!("neighbour {}", neighbour(it, &[]).address)
        }
        _ => "traffic control".into(),
    }
}

fn device(index: u32, links: &[Link]) -> String {
    links.iter().find(|link| link.index == index).map_or_else(|| format!("#{index}"), |link| link.name.clone())
}

fn family(family: AddressFamily) -> String {
    match family {
        AddressFamily::Inet => "v4".into(),
        AddressFamily::Inet6 => "v6".into(),
        // RTNL_FAMILY_IPMR and RTNL_FAMILY_IP6MR.
        AddressFamily::Other(128) => "v4 multicast".into(),
        AddressFamily::Other(129) => "v6 multicast".into(),
        other => format!("{other:?}"),
    }
}

fn text(address: &RouteAddress) -> String {
    match address {
        RouteAddress::Inet(v4) => v4.to_string(),
        RouteAddress::Inet6(v6) => v6.to_string(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(&mut text, bytes);
    text
}

/// Appends two digits for each byte.
pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}
