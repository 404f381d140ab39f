//! Which rules does the gate namespace have?
//!
//! Whatever comes in over the veth goes to a listening socket or is refused. There is no other link, no
//! uplink and no forwarding; the rules decide only how loudly a packet ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nftables::schema::NfObject;
use nftables::types::NfFamily::{INet, NetDev};
use nftables::types::NfHook::{Forward, Ingress, Input, Output, Prerouting};

use super::refuse;
use super::words::*;
use crate::class::Class;
use crate::counters::OPENED;
use crate::layout::Layout;

/// The usual priority of TPROXY rules, called mangle.
const MANGLE: i32 = -150;

/// How many connections a second the gate takes, and how many at once.
const CONNECTIONS: (u32, u32) = (5000, 20000);

/// How many of the rarer refusals are described a second, and at once.
const DESCRIBED: (u32, u32) = (5, 20);

pub(super) fn objects(layout: &Layout) -> Vec<NfObject<'static>> {
    let mut objects = vec![
        table(NetDev),
        counter(NetDev, Class::Frame),
        base(NetDev, "ingress", Ingress, 0, Some(&layout.gate.device)),
    ];
    objects.extend(ingress(layout));
    objects.push(table(INet));
    objects.extend([Class::Spoofed, Class::Flood, Class::Unheard, Class::Stray].map(|class| counter(INet, class)));
    objects.push(counter_named(INet, OPENED));
    objects.extend(refuse::counters());
    objects.extend([
        base(INet, "prerouting", Prerouting, MANGLE, None),
        base(INet, "input", Input, 0, None),
        base(INet, "forward", Forward, 0, None),
        base(INet, "output", Output, 0, None),
        chain("tcp"),
        chain("spoofed"),
    ]);
    objects.extend(refuse::chains());
    objects.extend(prerouting(layout));
    objects.extend(tcp(layout));
    objects.extend(spoofed(layout));
    objects.extend(local(layout));
    objects.extend(refuse::rules(layout));
    objects
}

/// Neighbours are permanent, so that nothing but IP to the gate's own hardware address is ever needed.
fn ingress(layout: &Layout) -> [NfObject<'static>; 4] {
    let ours = || [ethernet(), for_hardware(layout.gate.mac)].concat();
    [
        rule(NetDev, "ingress", [ours(), ethertype("ip"), accept()]),
        rule(NetDev, "ingress", [ours(), ethertype("ip6"), accept()]),
        rule(NetDev, "ingress", [up_to(DESCRIBED.0, DESCRIBED.1), log(Class::Frame.name(), layout.log_group)]),
        rule(NetDev, "ingress", [count(Class::Frame), drop()]),
    ]
}

fn prerouting(layout: &Layout) -> [NfObject<'static>; 5] {
    let g0 = || came_in(&layout.gate.device);
    [
        rule(INet, "prerouting", [g0(), ipv4(), not_from(layout.agent.v4.into()), goto("spoofed")]),
        rule(INet, "prerouting", [g0(), ipv6(), not_from(layout.agent.v6.into()), goto("spoofed")]),
        rule(INet, "prerouting", [g0(), transport("tcp"), goto("tcp")]),
        rule(INet, "prerouting", [g0(), transport("udp"), to_port("udp", layout.dns_port), accept()]),
        rule(INet, "prerouting", [g0(), goto(refuse::REFUSE)]),
    ]
}

/// Each opening packet is counted first: the kernel drops those beyond a listener's queue without a word.
fn tcp(layout: &Layout) -> [NfObject<'static>; 9] {
    let g0_tcp = || [came_in(&layout.gate.device), transport("tcp")].concat();
    let explicit = |family: fn() -> Vec<_>, address| {
        let port = to_port("tcp", layout.explicit_port);
        rule(INet, "tcp", [g0_tcp(), family(), addressed_to(address), port, accept()])
    };
    let transparent = |family: fn() -> Vec<_>, address| {
        rule(INet, "tcp", [g0_tcp(), family(), to_listener(address, layout.transparent_port), accept()])
    };
    [
        rule(INet, "tcp", [transport("tcp"), opens_connection(), count_by_name(OPENED)]),
        rule(
            INet,
            "tcp",
            [transport("tcp"), opens_connection(), above(CONNECTIONS.0, CONNECTIONS.1), count(Class::Flood), reset()],
        ),
        rule(INet, "tcp", [g0_tcp(), to_port("tcp", layout.dns_port), accept()]),
        explicit(ipv4, layout.gate.v4.into()),
        explicit(ipv6, layout.gate.v6.into()),
        transparent(ipv4, IpAddr::V4(Ipv4Addr::LOCALHOST)),
        transparent(ipv6, IpAddr::V6(Ipv6Addr::LOCALHOST)),
        rule(INet, "tcp", [transport("tcp"), opens_connection(), count(Class::Unheard), reset()]),
        rule(INet, "tcp", [transport("tcp"), count(Class::Stray), reset()]),
    ]
}

fn spoofed(layout: &Layout) -> [NfObject<'static>; 2] {
    [
        rule(INet, "spoofed", [up_to(DESCRIBED.0, DESCRIBED.1), log(Class::Spoofed.name(), layout.log_group)]),
        rule(INet, "spoofed", [count(Class::Spoofed), drop()]),
    ]
}

/// What the first chain let pass, and the answers to it. Nothing in the gate opens a connection.
fn local(layout: &Layout) -> [NfObject<'static>; 8] {
    let g0 = || came_in(&layout.gate.device);
    let to_g0 = || goes_out(&layout.gate.device);
    let unreachable = |family: fn() -> Vec<_>, protocol, name| {
        let kind = icmp_type(name, "destination-unreachable");
        rule(INet, "output", [to_g0(), family(), transport(protocol), kind, accept()])
    };
    [
        rule(INet, "input", [g0(), transport("tcp"), accept()]),
        rule(INet, "input", [g0(), transport("udp"), to_port("udp", layout.dns_port), accept()]),
        rule(INet, "input", [count(Class::Stray), drop()]),
        rule(INet, "forward", [count(Class::Stray), drop()]),
        rule(INet, "output", [to_g0(), transport("tcp"), opens_no_connection(), accept()]),
        rule(INet, "output", [to_g0(), transport("udp"), from_port("udp", layout.dns_port), accept()]),
        unreachable(ipv4, "icmp", "icmp"),
        unreachable(ipv6, "ipv6-icmp", "icmpv6"),
    ]
}
