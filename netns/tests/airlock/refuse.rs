//! Is everything else refused, at once, counted exactly and described?

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use bottle_netns::class::Class;
use bottle_netns::counters::counters;
use bottle_netns::{Side, nflog};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockaddrStorage, recv, sendto};

use crate::harness::Test;
use crate::lab::{airlock, counted, wait_for};
use crate::raw;

pub(crate) const TESTS: &[Test] = &[
    ("udp_is_refused_at_once_and_counted_exactly", udp),
    ("a_connected_udp_socket_hears_of_the_refusal", udp_hears),
    ("icmp_is_refused_at_once_and_counted_exactly", icmp),
    ("sctp_and_other_protocols_are_refused_at_once_and_counted_exactly", other_protocols),
    ("what_the_agents_rules_miss_is_refused_by_the_gate_with_an_icmp_error", the_gate_refuses),
    ("a_refusal_is_described_with_addresses_and_ports", described),
    ("a_flood_of_connections_is_reset_and_counted", flood),
];

const V4: &str = "11.0.0.1:443";
const V6: &str = "[2a00::1]:443";

/// What a refused call returns: by the rules, or by the ICMP error of the call before.
const REFUSED: [Errno; 3] = [Errno::EPERM, Errno::EHOSTUNREACH, Errno::EACCES];

fn udp() {
    let airlock = airlock();
    for target in [V4, V6] {
        for _ in 0..100 {
            let client = UdpSocket::bind(if target == V4 { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
            let error = client.send_to(b"hello", target).unwrap_err();
            assert!(REFUSED.contains(&errno(&error)), "{error}");
        }
    }
    assert_eq!(counted(&airlock, Side::Agent), [("udp4".to_owned(), 100), ("udp6".to_owned(), 100)]);
    assert_eq!(counted(&airlock, Side::Gate), []);
}

fn udp_hears() {
    let _airlock = airlock();
    for (target, expected) in [(V4, Errno::EHOSTUNREACH), (V6, Errno::EACCES)] {
        let client = UdpSocket::bind(if target == V4 { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
        client.connect(target).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _refused = client.send(b"hello").unwrap_err();
        let error = client.recv(&mut [0; 16]).unwrap_err();
        assert_eq!(errno(&error), expected, "{error}");
    }
}

fn icmp() {
    let airlock = airlock();
    let echo = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
    for _ in 0..50 {
        send_raw(libc::IPPROTO_ICMP, V4, &echo).unwrap_err();
        send_raw(libc::IPPROTO_ICMPV6, V6, &[128, 0, 0, 0, 0, 0, 0, 0]).unwrap_err();
    }
    assert_eq!(counted(&airlock, Side::Agent), [("icmp4".to_owned(), 50), ("icmp6".to_owned(), 50)]);
}

fn other_protocols() {
    let airlock = airlock();
    for protocol in [libc::IPPROTO_SCTP, libc::IPPROTO_DCCP, libc::IPPROTO_UDPLITE, libc::IPPROTO_GRE, 253] {
        for target in [V4, V6] {
            let error = send_raw(protocol, target, &[0; 16]).unwrap_err();
            assert!(REFUSED.contains(&error), "protocol {protocol} to {target}: {error}");
        }
    }
    send_raw(libc::IPPROTO_IGMP, V4, &[0; 8]).unwrap_err();
    let expected = [("membership", 1), ("other4", 4), ("other6", 4), ("sctp4", 1), ("sctp6", 1)];
    assert_eq!(counted(&airlock, Side::Agent), expected.map(|(name, count)| (name.to_owned(), count)));
}

fn the_gate_refuses() {
    let airlock = airlock();
    crate::tools::run_in(&airlock, Side::Agent, "nft flush ruleset");
    for (target, expected) in [(V4, Errno::EHOSTUNREACH), (V6, Errno::EACCES)] {
        for _ in 0..100 {
            let client = UdpSocket::bind(if target == V4 { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
            client.connect(target).unwrap();
            client.send(b"hello").unwrap();
            let error = client.send(b"again").unwrap_err();
            assert_eq!(errno(&error), expected, "{error}");
        }
    }
    for class in ["udp4", "udp6"] {
        assert_eq!(crate::tools::packets(&airlock, Side::Gate, class), 100);
    }
}

fn described() {
    let airlock = airlock();
    for (target, class) in [(V4, Class::Udp4), (V6, Class::Udp6)] {
        let client = UdpSocket::bind(if target == V4 { "28.0.0.2:5555" } else { "[fd28::2]:5555" }).unwrap();
        let _refused = client.send_to(b"hello", target).unwrap_err();
        let target: SocketAddr = target.parse().unwrap();
        let refusal = one_refusal(&airlock.listeners.nflog[0]);
        assert_eq!(refusal.class, class);
        assert_eq!((refusal.destination, refusal.port), (Some(target.ip()), Some(443)));
        assert_eq!((refusal.source, refusal.source_port), (Some(client.local_addr().unwrap().ip()), Some(5555)));
    }
    raw::frame(0x1234, &[0; 60], raw::GATE);
    assert_eq!(one_refusal(&airlock.listeners.nflog[1]).class, Class::Frame);
    raw::frame(raw::IPV4, &raw::udp4([9, 9, 9, 9], [11, 0, 0, 1], 443), raw::GATE);
    let spoofed = one_refusal(&airlock.listeners.nflog[1]);
    assert_eq!((spoofed.class, spoofed.source), (Class::Spoofed, Some([9, 9, 9, 9].into())));
}

fn flood() {
    let airlock = airlock();
    // More than the burst and what refills it meanwhile, however slow the machine is; each opens and closes at once.
    let syn = |port: u16| raw::tcp4([28, 0, 0, 2], [11, 0, 0, 1], port, 443, 0x02);
    let packets = raw::sender();
    let (start, mut sent, mut flood) = (Instant::now(), 0, 0);
    while sent < 60_000 || flood == 0 {
        for round in 0..20_000_u64 {
            raw::send(&packets, raw::IPV4, &syn(((sent + round) % 60_000 + 1024) as u16), raw::GATE);
        }
        sent += 20_000;
        flood =
            counted(&airlock, Side::Gate).iter().find(|(name, _)| name == "flood").map_or(0, |(_, packets)| *packets);
    }
    let most = 20_000 + 5_000 * (start.elapsed().as_secs() + 1);
    assert!(flood + most >= sent, "{flood} of {sent} in {:?}", start.elapsed());
    // Those that a full queue drops without a word too.
    assert_eq!(counters(&airlock).unwrap().opened, sent);
    drop(airlock);
}

fn one_refusal(socket: &OwnedFd) -> nflog::Refusal {
    wait_for(socket);
    let mut bytes = [0; 8192];
    let length = recv(socket.as_raw_fd(), &mut bytes, MsgFlags::empty()).unwrap();
    let mut refusals = nflog::parse(&bytes[..length]);
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    refusals.remove(0)
}

fn send_raw(protocol: i32, target: &str, bytes: &[u8]) -> Result<usize, Errno> {
    let target: SocketAddr = target.parse().unwrap();
    let family = if target.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = raw::ip_socket(family, protocol);
    // A raw socket's address has no port.
    sendto(socket.as_raw_fd(), bytes, &SockaddrStorage::from(SocketAddr::new(target.ip(), 0)), MsgFlags::empty())
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}
