//! Do real sockets get real answers, from the address that was asked?

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::server::{Server, address_in, client, query};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType::{self, A};

fn exchange(socket: &UdpSocket, server: SocketAddr, query: &Message) -> (Message, SocketAddr) {
    socket.send_to(&query.to_vec().unwrap(), server).unwrap();
    let mut answer = [0; 2048];
    let (length, from) = socket.recv_from(&mut answer).unwrap();
    (Message::from_vec(&answer[..length]).unwrap(), from)
}

#[test]
fn the_answer_leaves_from_the_address_that_was_asked() {
    let server = Server::start();
    let socket = client(Ipv4Addr::LOCALHOST.into());
    for resolver in [[127, 0, 0, 1], [127, 0, 0, 53], [127, 1, 2, 3]] {
        let asked = SocketAddr::new(resolver.into(), server.udp_v4.port());
        let (answer, from) = exchange(&socket, asked, &query(7, "api.example.com", A));
        assert_eq!(from, asked);
        assert_eq!((answer.id, answer.response_code), (7, ResponseCode::NoError));
    }
}

#[test]
fn ipv6_clients_are_answered_too() {
    let server = Server::start();
    let socket = client(server.udp_v6.ip());
    let (answer, from) = exchange(&socket, server.udp_v6, &query(7, "api.example.com", A));
    assert_eq!(from, server.udp_v6);
    assert!(address_in(&answer).is_some());
}

#[test]
fn the_address_is_the_lease_of_the_name() {
    let server = Server::start();
    let socket = client(Ipv4Addr::LOCALHOST.into());
    let (answer, _) = exchange(&socket, server.udp_v4, &query(1, "Api.Example.COM", A));
    let address = address_in(&answer).unwrap();
    assert_eq!(server.leases.name(address).unwrap().as_str(), "api.example.com");
    let (again, _) = exchange(&socket, server.udp_v4, &query(2, "api.example.com", A));
    assert_eq!(address_in(&again), Some(address));
    let reverse = address.octets().map(|octet| octet.to_string()).into_iter().rev().collect::<Vec<_>>().join(".");
    let (pointer, _) = exchange(&socket, server.udp_v4, &query(3, &format!("{reverse}.in-addr.arpa"), RecordType::PTR));
    assert_eq!(pointer.answers[0].data.to_string(), "api.example.com.");
}

#[test]
fn a_denied_name_is_reported_and_takes_no_lease() {
    let server = Server::start();
    let socket = client(Ipv4Addr::LOCALHOST.into());
    let (answer, _) = exchange(&socket, server.udp_v4, &query(1, "c2VjcmV0.evil.example.org", A));
    assert_eq!(answer.response_code, ResponseCode::NXDomain);
    assert_eq!(server.reports(), ["c2vjcmv0.evil.example.org A no-rule"]);
    assert_eq!(server.leases.len(), 0);
}

#[test]
fn a_burst_larger_than_a_batch_is_answered_whole() {
    let server = Server::start();
    let socket = client(Ipv4Addr::LOCALHOST.into());
    for id in 0..200 {
        socket.send_to(&query(id, "api.example.com", A).to_vec().unwrap(), server.udp_v4).unwrap();
    }
    let mut answer = [0; 512];
    let ids = (0..200).map(|_| {
        socket.recv(&mut answer).unwrap();
        u16::from_be_bytes([answer[0], answer[1]])
    });
    assert_eq!(ids.collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
}

#[test]
fn junk_and_clients_that_are_gone_do_not_stop_the_loop() {
    let server = Server::start();
    for junk in [&b""[..], b"x", &[0xff; 12], &[0xff; 4000], &[0; 4000]] {
        let gone = client(Ipv4Addr::LOCALHOST.into());
        gone.send_to(junk, server.udp_v4).unwrap();
        gone.send_to(&query(1, "api.example.com", A).to_vec().unwrap(), server.udp_v4).unwrap();
    }
    let socket = client(Ipv4Addr::LOCALHOST.into());
    let (answer, _) = exchange(&socket, server.udp_v4, &query(9, "api.example.com", A));
    assert_eq!(answer.id, 9);
}

#[test]
fn a_datagram_longer_than_any_query_is_malformed() {
    let server = Server::start();
    let socket = client(Ipv4Addr::LOCALHOST.into());
    let mut long = query(5, "api.example.com", A).to_vec().unwrap();
    long.resize(5000, 0);
    socket.send_to(&long, server.udp_v4).unwrap();
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).unwrap();
    assert_eq!(Message::from_vec(&answer[..length]).unwrap().response_code, ResponseCode::FormErr);
}
