//! Does anything get out past the rules?
//!
//! With CAP_NET_RAW and packet sockets, and with the rules themselves gone. The gate has no uplink, so what is
//! looked at is whether anything reaches a socket or comes back that should not.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use bottle_netns::conform::conforms;
use bottle_netns::survey::survey;
use bottle_netns::{Airlock, Side};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use crate::harness::Test;
use crate::lab::{self, accept, airlock, counted, go};
use crate::tools::run_in;
use crate::{raw, tools};

pub(crate) const TESTS: &[Test] = &[
    ("nothing_but_ip_passes_the_gates_ingress_from_a_packet_socket", frames),
    ("packets_past_the_agents_rules_are_refused_and_counted_by_the_gate", packets),
    ("a_source_that_is_not_the_agents_is_dropped_and_counted", spoofed),
    ("without_the_agents_rules_still_nothing_else_gets_out", without_agent_rules),
    ("without_any_rules_there_is_still_no_way_out", without_rules),
    ("nothing_in_the_gate_can_open_a_connection_inwards", inwards),
];

fn frames() {
    let airlock = airlock();
    go(&airlock, Side::Gate);
    let gate = raw::listener();
    go(&airlock, Side::Agent);
    let kinds = [0x0806, 0x0027, 0x1234, 0x8100, 0x88a8, 0x8847, 0x8863, 0x88cc, 0x22f0, 0x9000];
    for kind in kinds {
        raw::frame(kind, &[0; 60], raw::GATE);
    }
    // An IPv4 packet in a VLAN, and IPv4 for another hardware address or for all.
    let packet = raw::udp4([28, 0, 0, 2], [11, 0, 0, 1], 53);
    raw::frame(0x8100, &[&[0, 0, 8, 0][..], &packet].concat(), raw::GATE);
    raw::frame(raw::IPV4, &packet, [2, 0, 0, 0, 0, 9]);
    raw::frame(raw::IPV4, &packet, [0xff; 6]);
    assert_eq!(counted(&airlock, Side::Gate), [("frame".to_owned(), kinds.len() as u64 + 3)]);
    assert_nothing_received(&airlock);
    // They did arrive at the device: it is the rules that stopped them.
    let mut bytes = [0; 256];
    let mut seen = 0;
    while recv(gate.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT).is_ok() {
        seen += 1;
    }
    assert_eq!(seen, kinds.len() + 3);
}

fn packets() {
    let airlock = airlock();
    for _ in 0..100 {
        raw::frame(raw::IPV4, &raw::udp4([28, 0, 0, 2], [11, 0, 0, 1], 443), raw::GATE);
        raw::frame(raw::IPV6, &raw::udp6("fd28::2", "2a00::1", 443), raw::GATE);
    }
    let expected = [("udp4".to_owned(), 100), ("udp6".to_owned(), 100)];
    assert_eq!(counted(&airlock, Side::Gate), expected);
    assert_nothing_received(&airlock);
}

fn spoofed() {
    let airlock = airlock();
    raw::frame(raw::IPV4, &raw::udp4([9, 9, 9, 9], [11, 0, 0, 1], 53), raw::GATE);
    raw::frame(raw::IPV4, &raw::tcp4([28, 0, 0, 3], [11, 0, 0, 1], 999, 443, 2), raw::GATE);
    raw::frame(raw::IPV6, &raw::udp6("fd28::3", "2a00::1", 53), raw::GATE);
    assert_eq!(counted(&airlock, Side::Gate), [("spoofed".to_owned(), 3)]);
    assert_nothing_received(&airlock);
}

fn without_agent_rules() {
    let airlock = airlock();
    run_in(&airlock, Side::Agent, "nft flush ruleset");
    let client = UdpSocket::bind("0.0.0.0:0").unwrap();
    client.send_to(b"hello", "11.0.0.1:443").unwrap();
    assert_nothing_received(&airlock);
    // TCP still comes to the gate.
    let target: SocketAddr = "11.0.0.1:443".parse().unwrap();
    let _client = TcpStream::connect(target).unwrap();
    assert_eq!(accept(&airlock.listeners.transparent[0]).local_addr().unwrap(), target);
    assert_eq!(tools::packets(&airlock, Side::Gate, "udp4"), 1);
}

fn without_rules() {
    let airlock = airlock();
    for side in Side::BOTH {
        run_in(&airlock, side, "nft flush ruleset");
    }
    go(&airlock, Side::Agent);
    for target in ["11.0.0.1:443", "[2a00::1]:443"] {
        TcpStream::connect_timeout(&target.parse().unwrap(), Duration::from_millis(200)).unwrap_err();
        let client = UdpSocket::bind(if target.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
        client.send_to(b"hello", target).unwrap();
    }
    // The only other device of the gate is loopback: there is nowhere to go.
    let survey = survey(&airlock).unwrap();
    let devices = |side| -> Vec<String> {
        let links = &survey.of(side).state.links;
        links.iter().filter(|link| link.up()).map(|link| link.name.clone()).collect()
    };
    assert_eq!(devices(Side::Gate), ["g0", "lo"]);
    assert_eq!(devices(Side::Agent), ["eth0", "lo"]);
    assert!(conforms(&survey, &lab::layout()).is_err());
}

fn inwards() {
    let airlock = airlock();
    let inside = std::net::TcpListener::bind("28.0.0.2:8080").unwrap();
    go(&airlock, Side::Gate);
    let error = TcpStream::connect_timeout(&"28.0.0.2:8080".parse().unwrap(), Duration::from_secs(1)).unwrap_err();
    let refused = Errno::from_raw(error.raw_os_error().unwrap_or_default());
    assert!(refused == Errno::EPERM || error.kind() == std::io::ErrorKind::TimedOut, "{error}");
    // Even without the gate's own rules, the agent's drop it.
    tools::run("nft flush ruleset");
    TcpStream::connect_timeout(&"28.0.0.2:8080".parse().unwrap(), Duration::from_millis(200)).unwrap_err();
    inside.set_nonblocking(true).unwrap();
    assert_eq!(inside.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert!(tools::packets(&airlock, Side::Agent, "inbound") >= 1);
}

/// No DNS socket has a datagram and no listener a connection.
fn assert_nothing_received(airlock: &Airlock) {
    for socket in &airlock.listeners.dns_udp {
        assert_eq!(socket.recv(&mut [0; 16]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
    for listener in airlock.listeners.transparent.iter().chain(&airlock.listeners.dns_tcp) {
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}
