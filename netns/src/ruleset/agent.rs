//! Which rules does the agent namespace have?
//!
//! Out: TCP, and UDP to the DNS port, over the one device; anything over loopback. The rest is refused here
//! already, so that the client hears of it from its own kernel. In: answers.

use std::net::IpAddr;

use nftables::schema::NfObject;
use nftables::types::NfFamily::INet;
use nftables::types::NfHook::{Forward, Input, Output};

use super::refuse;
use super::words::*;
use crate::class::Class;
use crate::layout::Layout;

pub(super) fn objects(layout: &Layout) -> Vec<NfObject<'static>> {
    let mut objects = vec![table(INet), counter(INet, Class::Inbound)];
    objects.extend(refuse::counters());
    objects.extend([
        base(INet, "output", Output, 0, None),
        base(INet, "input", Input, 0, None),
        base(INet, "forward", Forward, 0, None),
    ]);
    objects.extend(refuse::chains());
    objects.extend(output(layout));
    objects.extend(input(layout));
    objects.extend(refuse::rules(layout));
    objects
}

fn output(layout: &Layout) -> [NfObject<'static>; 4] {
    let eth0 = || goes_out(&layout.agent.device);
    [
        rule(INet, "output", [goes_out("lo"), accept()]),
        rule(INet, "output", [eth0(), transport("tcp"), accept()]),
        rule(INet, "output", [eth0(), transport("udp"), to_port("udp", layout.dns_port), accept()]),
        // Whatever the device: one that should not be there is no way out either.
        rule(INet, "output", [goto(refuse::REFUSE)]),
    ]
}

fn input(layout: &Layout) -> [NfObject<'static>; 6] {
    let eth0 = || came_in(&layout.agent.device);
    let gate4 = || sent_by(IpAddr::V4(layout.gate.v4));
    let gate6 = || sent_by(IpAddr::V6(layout.gate.v6));
    [
        rule(INet, "input", [came_in("lo"), accept()]),
        rule(INet, "input", [eth0(), transport("tcp"), opens_no_connection(), accept()]),
        rule(INet, "input", [eth0(), transport("udp"), from_port("udp", layout.dns_port), accept()]),
        rule(
            INet,
            "input",
            [eth0(), ipv4(), gate4(), transport("icmp"), icmp_type("icmp", "destination-unreachable"), accept()],
        ),
        rule(
            INet,
            "input",
            [eth0(), ipv6(), gate6(), transport("ipv6-icmp"), icmp_type("icmpv6", "destination-unreachable"), accept()],
        ),
        rule(INet, "input", [count(Class::Inbound), drop()]),
    ]
}
