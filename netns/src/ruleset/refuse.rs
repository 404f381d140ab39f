//! How is a packet refused, counted and described?
//!
//! One chain for each class, so that a packet is counted exactly once, described at a limited rate, and
//! refused every time.

use nftables::schema::NfObject;
use nftables::types::NfFamily::INet;

use super::words::*;
use crate::class::Class;
use crate::layout::Layout;

/// The chain to which both namespaces send what they refuse.
pub(super) const REFUSE: &str = "refuse";

/// The chain that answers with an ICMP error.
const PROHIBIT: &str = "prohibit";

/// How many refusals of all classes in one namespace are described each second, and at once.
const DESCRIBED: (u32, u32) = (20, 100);

/// The classes that the chain tells apart by protocol.
const BY_PROTOCOL: [Class; 9] = [
    Class::Udp4,
    Class::Udp6,
    Class::Icmp4,
    Class::Membership,
    Class::Icmp6,
    Class::Sctp4,
    Class::Sctp6,
    Class::Other4,
    Class::Other6,
];

/// The counters that [`chains`] needs.
pub(super) fn counters() -> impl Iterator<Item = NfObject<'static>> {
    BY_PROTOCOL.into_iter().map(|class| counter(INet, class))
}

/// The chains themselves, to be declared before any rule that goes there.
pub(super) fn chains() -> [NfObject<'static>; 2] {
    [chain(REFUSE), chain(PROHIBIT)]
}

/// Their rules.
pub(super) fn rules(layout: &Layout) -> Vec<NfObject<'static>> {
    let count_and_refuse = |family: fn() -> Vec<_>, protocol, class| {
        rule(INet, REFUSE, [family(), transport(protocol), count(class), goto(PROHIBIT)])
    };
    let report = |name| {
        rule(
            INet,
            REFUSE,
            [ipv6(), transport("ipv6-icmp"), icmp_type("icmpv6", name), count(Class::Membership), drop()],
        )
    };
    vec![
        count_and_refuse(ipv4, "udp", Class::Udp4),
        count_and_refuse(ipv6, "udp", Class::Udp6),
        count_and_refuse(ipv4, "icmp", Class::Icmp4),
        rule(INet, REFUSE, [ipv4(), transport("igmp"), count(Class::Membership), drop()]),
        report("mld-listener-query"),
        report("mld-listener-report"),
        report("mld-listener-done"),
        report("mld2-listener-report"),
        count_and_refuse(ipv6, "ipv6-icmp", Class::Icmp6),
        count_and_refuse(ipv4, "sctp", Class::Sctp4),
        count_and_refuse(ipv6, "sctp", Class::Sctp6),
        rule(INet, REFUSE, [ipv4(), count(Class::Other4), goto(PROHIBIT)]),
        rule(INet, REFUSE, [count(Class::Other6), goto(PROHIBIT)]),
        // No class in the prefix: the packet shows its own.
        rule(INet, PROHIBIT, [up_to(DESCRIBED.0, DESCRIBED.1), log("", layout.log_group)]),
        rule(INet, PROHIBIT, [refuse_as_prohibited()]),
    ]
}
