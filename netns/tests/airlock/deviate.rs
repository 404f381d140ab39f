//! Is each single deviation found by the survey, and announced by the watch?

use std::os::fd::AsFd;

use bottle_netns::conform::conforms;
use bottle_netns::survey::{generations, survey};
use bottle_netns::watch::{Change, Kind};
use bottle_netns::{Airlock, Side};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::harness::Test;
use crate::lab::{airlock, go, layout, one_for_each_side};
use crate::tools::run_in;

pub(crate) const TESTS: &[Test] = &[
    ("a_surveyed_airlock_announces_nothing", quiet),
    ("traffic_and_refusals_are_no_change", traffic),
    ("links_that_differ_are_found_and_announced", links),
    ("addresses_that_differ_are_found_and_announced", addresses),
    ("an_address_that_the_kernel_is_had_to_make_is_found_and_announced", link_local),
    ("routes_and_rules_that_differ_are_found_and_announced", routes),
    ("neighbours_that_differ_are_found_and_announced", neighbours),
    ("packet_rules_that_differ_are_found_and_announced", packet_rules),
    ("settings_that_differ_are_found", settings),
    ("forwarding_is_announced", forwarding),
    ("a_listener_that_differs_is_found", listeners),
    ("the_end_of_a_listener_is_announced_and_of_others_not", ended_listeners),
    ("a_listener_that_is_aborted_or_joined_is_found_by_asking", asked_listeners),
    ("lost_notifications_are_a_change", overrun),
];

fn quiet() {
    let airlock = airlock();
    survey(&airlock).unwrap();
    assert_eq!(airlock.watches.drain(&layout()), []);
}

fn traffic() {
    let airlock = airlock();
    let before = survey(&airlock).unwrap();
    for target in ["11.0.0.1", "28.9.9.9", "224.0.0.251", "2a00::1", "ff02::fb", "fe80::1"] {
        let any = if target.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
        let client = std::net::UdpSocket::bind(any).unwrap();
        let _refused = client.send_to(b"hello", (target, 443));
        let _sent = client.send_to(b"hello", (target, 53));
    }
    let _client = std::net::TcpStream::connect("11.0.0.1:443").unwrap();
    assert_eq!(airlock.watches.drain(&layout()), []);
    assert_eq!(survey(&airlock).unwrap(), before);
    assert_eq!(generations(&airlock).unwrap(), before.generations());
}

fn links() {
    for (airlock, side) in one_for_each_side() {
        let device = layout().end(side).device.clone();
        each(
            &airlock,
            side,
            Kind::Link,
            &[
                ("ip link add extra0 type veth peer name extra1", "ip link del extra0"),
                (&format!("ip link set {device} mtu 1500"), &format!("ip link set {device} mtu 65535")),
                (&format!("ip link set {device} promisc on"), &format!("ip link set {device} promisc off")),
                (&format!("ip link set {device} arp on"), ""),
            ],
        );
    }
}

fn addresses() {
    for (airlock, side) in one_for_each_side() {
        let device = layout().end(side).device.clone();
        each(
            &airlock,
            side,
            Kind::Address,
            &[
                (&format!("ip addr add 10.0.0.1/32 dev {device}"), &format!("ip addr del 10.0.0.1/32 dev {device}")),
                (
                    &format!("ip addr add fd00::1/128 dev {device} nodad"),
                    &format!("ip addr del fd00::1/128 dev {device}"),
                ),
                ("ip addr add 10.0.0.1/32 dev lo", "ip addr del 10.0.0.1/32 dev lo"),
            ],
        );
    }
}

fn link_local() {
    for (airlock, side) in one_for_each_side() {
        go(&airlock, side);
        let device = layout().end(side).device.clone();
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{device}/addr_gen_mode"), "0").unwrap();
        let changes = until_announced(&airlock, side, Kind::Address);
        assert!(changes.iter().any(|change| change.side == side && change.what.contains("fe80::")), "{changes:?}");
        assert_deviates(&airlock, side, "addr_gen_mode");
    }
}

fn routes() {
    for (airlock, side) in one_for_each_side() {
        let device = layout().end(side).device.clone();
        each(
            &airlock,
            side,
            Kind::Route,
            &[
                (&format!("ip route add 10.0.0.0/8 dev {device}"), &format!("ip route del 10.0.0.0/8 dev {device}")),
                (&format!("ip route add 2a00::/16 dev {device}"), &format!("ip route del 2a00::/16 dev {device}")),
                ("ip route add local 10.0.0.0/8 dev lo table 7", "ip route flush table 7"),
                ("ip route add blackhole 10.0.0.0/8 proto kernel", "ip route del blackhole 10.0.0.0/8"),
            ],
        );
        each(
            &airlock,
            side,
            Kind::Rule,
            &[
                ("ip rule add pref 7 lookup 7", "ip rule del pref 7"),
                ("ip -6 rule add pref 7 from all iif lo lookup 7", "ip -6 rule del pref 7"),
                ("ip rule add pref 7 fwmark 1 lookup main", "ip rule del pref 7"),
            ],
        );
        match side {
            Side::Agent => each(&airlock, side, Kind::Route, &[("ip route del default", "")]),
            Side::Gate => each(&airlock, side, Kind::Rule, &[("ip rule del pref 100", "")]),
        }
    }
}

fn neighbours() {
    for (airlock, side) in one_for_each_side() {
        let (device, peer) = (layout().end(side).device.clone(), layout().peer(side).v4);
        each(
            &airlock,
            side,
            Kind::Neighbour,
            &[
                (
                    &format!("ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:07 nud permanent dev {device}"),
                    &format!("ip neigh del 10.0.0.1 dev {device}"),
                ),
                (&format!("ip neigh replace {peer} lladdr 02:00:00:00:00:07 nud permanent dev {device}"), ""),
            ],
        );
    }
}

fn packet_rules() {
    for (airlock, side) in one_for_each_side() {
        each(
            &airlock,
            side,
            Kind::Ruleset,
            &[
                ("nft add table inet extra", "nft delete table inet extra"),
                ("nft add chain inet bottle extra", "nft delete chain inet bottle extra"),
                ("nft add counter inet bottle extra", "nft delete counter inet bottle extra"),
                ("nft add set inet bottle extra { type ipv4_addr; }", "nft delete set inet bottle extra"),
                ("nft insert rule inet bottle input accept", "nft delete rule inet bottle input handle 100"),
                ("nft chain inet bottle input { policy accept; }", "nft chain inet bottle input { policy drop; }"),
                ("nft flush chain inet bottle refuse", ""),
            ],
        );
    }
}

fn settings() {
    let airlock = airlock();
    for side in Side::BOTH {
        let device = layout().end(side).device.clone();
        for path in [
            format!("net/ipv4/conf/{device}/route_localnet"),
            format!("net/ipv4/conf/{device}/accept_local"),
            format!("net/ipv6/conf/{device}/accept_ra"),
            "net/ipv4/ip_nonlocal_bind".to_owned(),
            "net/ipv4/conf/all/forwarding".to_owned(),
            "net/ipv6/conf/all/forwarding".to_owned(),
        ] {
            go(&airlock, side);
            std::fs::write(format!("/proc/sys/{path}"), "1").unwrap();
            assert_deviates(&airlock, side, &path);
            let polled = airlock.sysctls.iter().find(|sysctl| sysctl.side == side && sysctl.path == path).unwrap();
            assert_eq!(polled.read().unwrap(), "1");
            go(&airlock, side);
            std::fs::write(format!("/proc/sys/{path}"), "0").unwrap();
        }
    }
}

fn forwarding() {
    let airlock = airlock();
    for side in Side::BOTH {
        for path in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
            go(&airlock, side);
            std::fs::write(format!("/proc/sys/{path}"), "1").unwrap();
            let changes = airlock.watches.drain(&layout());
            assert!(changes.iter().any(|change| change.side == side && change.kind == Kind::Setting), "{changes:?}");
        }
    }
}

fn listeners() {
    let airlock = airlock();
    for side in Side::BOTH {
        go(&airlock, side);
        let tcp = std::net::TcpListener::bind("127.0.0.1:7").unwrap();
        assert_deviates(&airlock, side, "127.0.0.1:7");
        drop(tcp);
        let udp = std::net::UdpSocket::bind("[::1]:7").unwrap();
        assert_deviates(&airlock, side, "[::1]:7");
        drop(udp);
    }
    let mut airlock = airlock;
    airlock.listeners.explicit.remove(0);
    assert_deviates(&airlock, Side::Gate, "listener missing");
}

fn ended_listeners() {
    type End = fn(&mut Airlock);
    let ends: [(Side, End); 6] = [
        (Side::Gate, |airlock| drop(airlock.listeners.transparent.remove(1))),
        (Side::Gate, |airlock| drop(airlock.listeners.explicit.remove(0))),
        (Side::Gate, |airlock| drop(airlock.listeners.dns_udp.remove(1))),
        (Side::Gate, |airlock| drop(airlock.listeners.dns_tcp.remove(0))),
        (Side::Agent, |airlock| drop(airlock.listeners.dns_udp.pop())),
        (Side::Agent, |airlock| drop(airlock.listeners.dns_tcp.pop())),
    ];
    let mut airlock = airlock();
    for side in Side::BOTH {
        go(&airlock, side);
        drop(std::net::TcpListener::bind("127.0.0.1:7").unwrap());
        drop(std::net::UdpSocket::bind("127.0.0.1:7").unwrap());
    }
    for (side, end) in ends {
        // The ends above come first, if they come.
        end(&mut airlock);
        let changes = until_announced(&airlock, side, Kind::Listener);
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!(changes[0].what.ends_with("was closed"), "{changes:?}");
    }
}

fn asked_listeners() {
    let airlock = airlock();
    let listening = survey(&airlock).unwrap().listening(&layout());
    assert_eq!(listening.changed(&airlock.desks).unwrap(), None);
    go(&airlock, Side::Agent);
    let of_the_workload = std::net::UdpSocket::bind("127.0.0.1:5353").unwrap();
    assert_eq!(listening.changed(&airlock.desks).unwrap(), None);
    drop(of_the_workload);
    go(&airlock, Side::Gate);
    let intruder = std::net::TcpListener::bind("28.0.0.1:15002").unwrap();
    let change = listening.changed(&airlock.desks).unwrap().unwrap();
    assert_eq!((change.side, change.kind), (Side::Gate, Kind::Listener));
    assert!(change.what.contains("28.0.0.1:15002 was not there before"), "{change:?}");
    drop(intruder);
    assert_eq!(listening.changed(&airlock.desks).unwrap(), None);
    run_in(&airlock, Side::Gate, "ss -K -lt sport = :3128");
    let change = listening.changed(&airlock.desks).unwrap().unwrap();
    assert!(change.what.contains(":3128 listens no more"), "{change:?}");
}

fn overrun() {
    let airlock = airlock();
    go(&airlock, Side::Agent);
    let batch: String =
        (0..40_000).map(|at| format!("route add 10.{}.{}.0/24 dev eth0\n", at / 256, at % 256)).collect();
    crate::tools::run_with("ip -batch -", &batch);
    let changes = airlock.watches.drain(&layout());
    assert!(changes.iter().any(|change| change.kind == Kind::Overrun));
}

/// What is announced, up to the change that is looked for: some come from a worker of the kernel's, a little later.
fn until_announced(airlock: &Airlock, side: Side, kind: Kind) -> Vec<Change> {
    let mut changes = airlock.watches.drain(&layout());
    while !changes.iter().any(|change| change.side == side && change.kind == kind) {
        let mut fds: Vec<_> =
            airlock.watches.0.iter().map(|watch| PollFd::new(watch.fd.as_fd(), PollFlags::POLLIN)).collect();
        if poll(&mut fds, PollTimeout::from(5000u16)).unwrap() == 0 {
            break;
        }
        changes.extend(airlock.watches.drain(&layout()));
    }
    changes
}

/// Makes each deviation, sees it found and announced, and mends it.
fn each(airlock: &Airlock, side: Side, kind: Kind, deviations: &[(&str, &str)]) {
    for (deviate, mend) in deviations {
        airlock.watches.drain(&layout());
        run_in(airlock, side, deviate);
        let changes = until_announced(airlock, side, kind);
        let announced = changes.iter().any(|change| change.side == side && change.kind == kind);
        assert!(announced, "{deviate} in the {side} namespace was announced as {changes:?}");
        assert_deviates(airlock, side, deviate);
        if !mend.is_empty() {
            mend_with(airlock, side, mend);
            conforms(&survey(airlock).unwrap(), &layout())
                .unwrap_or_else(|left| panic!("after {mend} in the {side} namespace: {left:?}"));
        }
    }
}

fn mend_with(airlock: &Airlock, side: Side, mend: &str) {
    // A rule is known by its handle only.
    let Some((rule, _)) = mend.split_once(" handle ") else {
        run_in(airlock, side, mend);
        return;
    };
    let listed = run_in(airlock, side, "nft -a list chain inet bottle input");
    let handle = listed.lines().find_map(|line| line.trim().strip_prefix("accept # handle "));
    run_in(airlock, side, &format!("{rule} handle {}", handle.expect("the rule is listed")));
}

fn assert_deviates(airlock: &Airlock, side: Side, what: &str) {
    let deviations = conforms(&survey(airlock).unwrap(), &layout()).expect_err(what);
    assert!(deviations.iter().any(|deviation| deviation.side == side), "{what}: {deviations:?}");
}
