//! Do TCP and DNS reach the gate's sockets, wherever they go?

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use bottle_netns::Side;
use bottle_netns::counters::counters;
use nix::sys::socket::{getsockopt, sockopt};

use crate::harness::Test;
use crate::lab::{self, accept, airlock};

pub(crate) const TESTS: &[Test] = &[
    ("tcp_to_any_address_and_port_reaches_the_listener_with_its_destination", tcp_anywhere),
    ("a_connection_is_looked_up_by_its_ends_while_somebody_holds_it", looked_up),
    ("tcp_to_the_explicit_proxy_reaches_its_listener", tcp_to_the_explicit_proxy),
    ("a_udp_query_to_any_resolver_is_answered_from_that_resolver", udp_queries),
    ("a_tcp_query_to_any_resolver_reaches_the_dns_listener", tcp_queries),
    ("queries_to_loopback_resolvers_reach_the_sockets_inside", loopback_queries),
    ("bulk_data_passes_whole_both_ways", bulk),
    ("tcp_in_the_pair_is_not_paced_whatever_the_host_has_chosen", congestion_control),
    ("a_listener_that_is_gone_means_a_reset", no_listener),
];

fn tcp_anywhere() {
    let airlock = airlock();
    let targets = [
        "11.22.33.44:443",
        "8.8.8.8:1",
        "28.77.1.2:5432",
        "28.255.255.255:22",
        "28.0.0.1:80",
        "192.168.1.1:65535",
        "100.64.0.9:15001",
        "255.1.2.3:8080",
        "[2a00:1450::1]:443",
        "[fd28::1]:80",
        "[fd99::5]:65535",
        "[2001:db8::1]:3128",
    ];
    for target in targets.map(|target| target.parse::<SocketAddr>().unwrap()) {
        let listener = &airlock.listeners.transparent[usize::from(target.is_ipv6())];
        let mut client = connect(target);
        let mut server = accept(listener);
        assert_eq!(server.local_addr().unwrap(), target);
        assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
        echo(&mut client, &mut server);
    }
}

fn looked_up() {
    let airlock = airlock();
    let connections = airlock.connections.unwrap();
    for (listener, target) in airlock.listeners.transparent.iter().zip(["11.22.33.44:443", "[2a00:1450::1]:443"]) {
        let target: SocketAddr = target.parse().unwrap();
        let client = connect(target);
        let server = accept(listener);
        let own = client.local_addr().unwrap();
        let inode = std::fs::metadata(format!("/proc/self/fd/{}", client.as_raw_fd())).unwrap().ino();
        assert_eq!(connections.inode(own, target).unwrap(), Some(inode));
        assert_eq!(connections.inode(SocketAddr::new(own.ip(), own.port() ^ 1), target).unwrap(), None);
        drop(client);
        assert_eq!(connections.inode(own, target).unwrap(), None, "nobody holds it");
        drop(server);
    }
}

fn congestion_control() {
    let airlock = airlock();
    for (listener, target) in airlock.listeners.transparent.iter().zip(["11.22.33.44:443", "[2a00:1450::1]:443"]) {
        let client = connect(target.parse().unwrap());
        let server = accept(listener);
        for end in [client, server] {
            let used = getsockopt(&end, sockopt::TcpCongestion).unwrap();
            assert_eq!(used, "reno");
        }
    }
}

fn tcp_to_the_explicit_proxy() {
    let airlock = airlock();
    for (listener, target) in airlock.listeners.explicit.iter().zip(lab::layout().explicit()) {
        let mut client = connect(target);
        let mut server = accept(listener);
        assert_eq!(server.local_addr().unwrap(), target);
        echo(&mut client, &mut server);
    }
}

fn udp_queries() {
    let airlock = airlock();
    for resolver in ["8.8.8.8:53", "11.0.0.53:53", "28.0.0.1:53", "[2001:4860:4860::8888]:53", "[fd28::1]:53"] {
        let resolver: SocketAddr = resolver.parse().unwrap();
        let client = udp_client(resolver.ip());
        client.send_to(b"question", resolver).unwrap();
        let server = &airlock.listeners.dns_udp[usize::from(resolver.is_ipv6())];
        let (asked, from) = lab::receive_with_destination(server);
        assert_eq!(asked, resolver.ip());
        lab::answer_from(server, asked, from, b"answer");
        let mut bytes = [0; 16];
        let (length, answered_by) = client.recv_from(&mut bytes).unwrap();
        assert_eq!((&bytes[..length], answered_by), (&b"answer"[..], resolver));
    }
}

fn tcp_queries() {
    let airlock = airlock();
    for resolver in ["9.9.9.9:53", "28.0.0.1:53", "[2001:4860:4860::8888]:53"] {
        let resolver: SocketAddr = resolver.parse().unwrap();
        let mut client = connect(resolver);
        let mut server = accept(&airlock.listeners.dns_tcp[usize::from(resolver.is_ipv6())]);
        assert_eq!(server.local_addr().unwrap(), resolver);
        echo(&mut client, &mut server);
    }
}

fn loopback_queries() {
    let airlock = airlock();
    let resolvers = lab::layout().loopback_resolvers;
    assert_eq!(airlock.listeners.dns_udp.len(), 2 + resolvers.len());
    for (number, resolver) in resolvers.into_iter().enumerate() {
        let at = SocketAddr::new(resolver, 53);
        let mut client = connect(at);
        echo(&mut client, &mut accept(&airlock.listeners.dns_tcp[2 + number]));
        let client = udp_client(resolver);
        client.send_to(b"question", at).unwrap();
        let server = &airlock.listeners.dns_udp[2 + number];
        let (asked, from) = lab::receive_with_destination(server);
        assert_eq!(asked, resolver);
        lab::answer_from(server, asked, from, b"answer");
        let mut bytes = [0; 16];
        assert_eq!(client.recv_from(&mut bytes).unwrap(), (6, at));
    }
}

fn bulk() {
    let airlock = airlock();
    for target in ["11.0.0.1:443", "[2a00::1]:443"] {
        let target: SocketAddr = target.parse().unwrap();
        let mut client = connect(target);
        let mut server = accept(&airlock.listeners.transparent[usize::from(target.is_ipv6())]);
        let sent: Vec<u8> = (0..8 << 20).map(|index: u32| (index / 251) as u8).collect();
        let expected = sent.clone();
        let sender = std::thread::spawn(move || {
            server.write_all(&sent).unwrap();
            server
        });
        let mut received = vec![0; expected.len()];
        client.read_exact(&mut received).unwrap();
        assert!(received == expected);
        drop(sender.join().unwrap());
    }
}

fn no_listener() {
    let mut airlock = airlock();
    airlock.listeners.transparent.clear();
    for target in ["11.0.0.1:443", "[2a00::1]:443"] {
        let error = TcpStream::connect_timeout(&target.parse().unwrap(), Duration::from_secs(5)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
    }
    assert_eq!(lab::counted(&airlock, Side::Gate), [("unheard".to_owned(), 2)]);
    assert_eq!(counters(&airlock).unwrap().opened, 2);
}

fn connect(target: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&target, Duration::from_secs(5));
    stream.unwrap_or_else(|error| panic!("{target}: {error}"))
}

fn echo(client: &mut TcpStream, server: &mut TcpStream) {
    let mut bytes = [0; 4];
    client.write_all(b"ping").unwrap();
    server.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"ping");
    server.write_all(b"pong").unwrap();
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"pong");
}

fn udp_client(family_of: IpAddr) -> UdpSocket {
    let client = UdpSocket::bind(if family_of.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client
}
