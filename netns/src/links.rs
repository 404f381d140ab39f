//! Which links, addresses, neighbours, routes and rules does each namespace get?
//!
//! Lists of requests, made by rtnetlink's builders. A namespace's list goes to the kernel in one system
//! call; nothing waits between two of its entries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoVeth, LinkAttribute, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteMessage, RouteScope, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::{AddressMessageBuilder, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use crate::layout::{End, Layout, Side};

/// The index of loopback in every namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// The step that fails where the kernel has no veth.
pub(crate) const MAKE_VETH: &str = "make the veth pair";

/// One request: what it does (for errors), the device, its flags, the message.
pub(crate) struct Request {
    pub(crate) step: &'static str,
    pub(crate) device: String,
    pub(crate) flags: u16,
    pub(crate) message: Message,
}

const CREATE: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// Makes the pair: the gate's end here, the agent's end in `agent`.
pub(crate) fn veth(layout: &Layout, agent: BorrowedFd<'_>) -> Request {
    // Said of both, since the kernel else makes one for each processor and takes them back, for which it waits twice.
    let one_queue = [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)];
    let end = |end: &End| {
        LinkMessageBuilder::<LinkUnspec>::new()
            .index(end.index)
            .name(end.device.clone())
            .mtu(layout.mtu)
            .address(end.mac.to_vec())
            .arp(false)
            .multicast(false)
    };
    let mut peer: LinkMessage = end(&layout.agent).setns_by_fd(agent.as_raw_fd()).build();
    peer.attributes.extend(one_queue.clone());
    let mut message = LinkVeth::new(&layout.gate.device, &layout.agent.device)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .index(layout.gate.index)
        .mtu(layout.mtu)
        .address(layout.gate.mac.to_vec())
        .arp(false)
        .multicast(false)
        .build();
    message.attributes.extend(one_queue);
    request(MAKE_VETH, &layout.gate.device, CREATE, Message::NewLink(message))
}

/// Removes a device that came with the namespace.
pub(crate) fn remove(index: u32, name: &str) -> Request {
    let message = LinkUnspec::new_with_index(index).build();
    request("remove a fallback device", name, 0, Message::DelLink(message))
}

/// Everything else in one namespace.
pub(crate) fn requests(layout: &Layout, side: Side) -> Vec<Request> {
    let (end, peer) = (layout.end(side), layout.peer(side));
    let mut requests = vec![
        up("lo", LOOPBACK),
        without_link_local(end),
        address(end, end.v4.into()),
        address(end, end.v6.into()),
        without_arp(end),
        neighbour(end, peer, peer.v4.into()),
        neighbour(end, peer, peer.v6.into()),
        route4(end, on_link(end.index).destination_prefix(peer.v4, 32).pref_source(end.v4).build()),
        route6(
            end,
            RouteMessageBuilder::<Ipv6Addr>::new().output_interface(end.index).destination_prefix(peer.v6, 128).build(),
        ),
    ];
    requests.extend(match side {
        Side::Agent => default_routes(end, peer),
        Side::Gate => everything_is_local(layout),
    });
    requests
}

fn default_routes(end: &End, peer: &End) -> Vec<Request> {
    let v4 = RouteMessageBuilder::<Ipv4Addr>::new().output_interface(end.index).gateway(peer.v4).build();
    let v6 = RouteMessageBuilder::<Ipv6Addr>::new().output_interface(end.index).gateway(peer.v6).build();
    vec![route4(end, v4), route6(end, v6)]
}

/// What comes in over the veth is local, whatever its destination; the gate's own answers are routed as usual.
fn everything_is_local(layout: &Layout) -> Vec<Request> {
    let v4 = RouteMessageBuilder::<Ipv4Addr>::new()
        .kind(RouteType::Local)
        .scope(RouteScope::Host)
        .table_id(layout.table)
        .output_interface(LOOPBACK)
        .build();
    let v6 = RouteMessageBuilder::<Ipv6Addr>::new()
        .kind(RouteType::Local)
        .table_id(layout.table)
        .output_interface(LOOPBACK)
        .build();
    vec![
        rule(layout, AddressFamily::Inet),
        rule(layout, AddressFamily::Inet6),
        request("route everything to listeners", "lo", CREATE, Message::NewRoute(v4)),
        request("route everything to listeners (IPv6)", "lo", CREATE, Message::NewRoute(v6)),
    ]
}

fn request(step: &'static str, device: &str, flags: u16, message: Message) -> Request {
    Request { step, device: device.to_owned(), flags, message }
}

fn up(device: &str, index: u32) -> Request {
    let message = LinkUnspec::new_with_index(index).up().build();
    request("set the link up", device, 0, Message::SetLink(message))
}

/// The two fixed addresses are all. Whoever has the kernel make one after all has it announced, as each address is.
fn without_link_local(end: &End) -> Request {
    let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    let mut message = LinkUnspec::new_with_index(end.index).build();
    message.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![none])]));
    request("have no link-local address", &end.device, 0, Message::SetLink(message))
}

/// Up, and the two flags that veth does not take at its creation.
fn without_arp(end: &End) -> Request {
    let message = LinkUnspec::new_with_index(end.index).up().arp(false).multicast(false).build();
    request("set the link up", &end.device, 0, Message::SetLink(message))
}

/// A single address: no prefix route, no broadcast, no duplicate detection.
fn address(end: &End, address: IpAddr) -> Request {
    let mut message: AddressMessage = match address {
        IpAddr::V4(v4) => AddressMessageBuilder::<Ipv4Addr>::new().index(end.index).address(v4, 32).build(),
        IpAddr::V6(v6) => AddressMessageBuilder::<Ipv6Addr>::new().index(end.index).address(v6, 128).build(),
    };
    let flags = AddressFlags::Nodad | AddressFlags::Noprefixroute;
    message.attributes.push(AddressAttribute::Flags(flags));
    request("add the address", &end.device, CREATE, Message::NewAddress(message))
}

fn neighbour(end: &End, peer: &End, address: IpAddr) -> Request {
    let mut message = NeighbourMessage::default();
    message.header.family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.ifindex = end.index;
    message.header.state = NeighbourState::Permanent;
    message.attributes =
        vec![NeighbourAttribute::Destination(address.into()), NeighbourAttribute::LinkLayerAddress(peer.mac.to_vec())];
    request("add the permanent neighbour", &end.device, CREATE, Message::NewNeighbour(message))
}

fn on_link(index: u32) -> RouteMessageBuilder<Ipv4Addr> {
    RouteMessageBuilder::<Ipv4Addr>::new().output_interface(index).scope(RouteScope::Link)
}

fn route4(end: &End, message: RouteMessage) -> Request {
    request("add the route", &end.device, CREATE, Message::NewRoute(message))
}

fn route6(end: &End, message: RouteMessage) -> Request {
    request("add the route (IPv6)", &end.device, CREATE, Message::NewRoute(message))
}

fn rule(layout: &Layout, family: AddressFamily) -> Request {
    let mut message = RuleMessage::default();
    message.header.family = family;
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Iifname(layout.gate.device.clone()),
        RuleAttribute::Priority(layout.rule_priority),
        RuleAttribute::Table(layout.table),
    ];
    request("add the routing rule", &layout.gate.device, CREATE, Message::NewRule(message))
}
