//! Does the lab's DNS answer by its table, on any address, and write every question down?

use std::net::Ipv4Addr;

use crate::common::{output, start};
use bottle_lab::addresses::{DNS, FOREIGN_DNS, WEB};
use bottle_lab::{Answer, Lab, Options};

#[test]
fn the_host_s_own_resolver_asks_the_lab() {
    let lab = start();
    let found = output(lab.command("getent").args(["ahostsv4", "api.allowed.example"]));
    assert!(found.starts_with(&WEB.to_string()), "{found}");
    let queries = lab.dns_queries().unwrap();
    assert!(queries.iter().all(|query| query.to.ip() == DNS && query.name == "api.allowed.example"), "{queries:?}");
    assert!(queries.iter().any(|query| query.kind == "A"), "{queries:?}");
}

#[test]
fn a_missing_name_is_not_found_and_still_written_down() {
    let lab = start();
    let found = lab.command("getent").args(["ahosts", "no.such.test"]).output().unwrap();
    assert!(!found.status.success());
    assert!(lab.dns_queries().unwrap().iter().any(|query| query.name == "no.such.test"));
}

#[test]
fn a_name_can_be_added_and_changed() {
    bottle_lab::require();
    let first = Ipv4Addr::new(11, 2, 0, 1);
    let lab = Lab::start(Options::default().name("added.test", Answer::Addresses(vec![first.into()], 0))).unwrap();
    let look = || output(lab.command("getent").args(["ahostsv4", "added.test"]));
    assert!(look().starts_with("11.2.0.1 "));
    assert_eq!(lab.name("added.test"), [first]);
    lab.set_name("added.test", Answer::Addresses(vec![Ipv4Addr::new(11, 2, 0, 2).into()], 0)).unwrap();
    assert!(look().starts_with("11.2.0.2 "));
}

#[test]
fn every_address_is_a_resolver_over_udp_and_tcp() {
    let lab = start();
    let script = "import socket,sys
query=bytes.fromhex('abcd01000001000000000000')+b'\\x03web\\x03lab\\x07example\\0'+bytes.fromhex('00010001')
u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); u.settimeout(5); u.sendto(query,(sys.argv[1],53)); answer,peer=u.recvfrom(512)
assert peer[0]==sys.argv[1], peer
t=socket.create_connection((sys.argv[1],53),5); t.sendall(len(query).to_bytes(2,'big')+query); t.recv(2); assert t.recv(512)==answer
v=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); v.settimeout(5); v.sendto(query,('2600:db:8::8',53)); assert v.recv(512)==answer
print(socket.inet_ntoa(answer[-4:]))";
    let answer = output(lab.command("python3").args(["-c", script, &FOREIGN_DNS.to_string()]));
    assert_eq!(answer.trim(), WEB.to_string());
    let ways: Vec<bool> = lab.dns_queries().unwrap().iter().map(|query| query.tcp).collect();
    assert_eq!(ways, [false, true, false]);
}
