//! Which addresses may an allowed name have? What was checked is what is dialled. (P1, P2, P3)

use std::net::{IpAddr, Ipv4Addr};

use bottle_lab::addresses::{HOST, HOST_V6, WEB};
use bottle_lab::{Answer, Options};

use crate::world::World;

/// A name with these addresses.
fn world(name: &str, addresses: &[IpAddr]) -> World {
    World::with(Options::default().name(name, Answer::Addresses(addresses.to_vec(), 60)))
}

/// Runs one HTTPS request to a name that has these addresses; the reason for which it was denied.
fn denied_with(world: &World, addresses: &[&str], rules: &str) -> Vec<String> {
    let found = addresses.iter().map(|address| address.parse().unwrap()).collect();
    world.lab.set_name("target.example", Answer::Addresses(found, 60)).unwrap();
    let policy = format!("domains:\n  - pattern: \"target.example\"\n    {rules}\n");
    let before = world.lab.packets("host/eth0").unwrap().len();
    let (said, run) = world.policy(&policy).python("print(https('target.example'))");
    if !run.log.reasons().is_empty() {
        assert_eq!(said, ["ECONNRESET"]);
        let packets = world.lab.packets("host/eth0").unwrap();
        assert!(!packets[before..].iter().any(|packet| packet.is_syn()), "{addresses:?} was dialled");
        assert_eq!(run.log.attempt().1.upstream, None);
    }
    run.log.reasons()
}

#[test]
fn a_name_with_a_special_address_is_denied_and_not_dialled() {
    let world = World::new();
    for address in ["10.1.2.3", "192.168.0.1", "100.64.0.1", "198.18.0.1", "203.0.113.1", "240.0.0.1", "fd00::1"] {
        assert_eq!(denied_with(&world, &[address], "ports: [443]"), ["private-address"], "{address}");
    }
    for address in ["::ffff:11.1.0.1", "2002:0b01:1::1", "64:ff9b::b01:1", "2001:0:1::1"] {
        assert_eq!(denied_with(&world, &[address], "ports: [443]"), ["private-address"], "{address}");
    }
}

#[test]
fn a_name_with_a_metadata_address_is_denied_even_where_private_ones_are_allowed() {
    let world = World::new();
    for address in ["169.254.169.254", "fd00:ec2::254"] {
        for rules in ["ports: [443]", "allow_private: true"] {
            assert_eq!(denied_with(&world, &[address], rules), ["metadata-address"], "{address} {rules}");
        }
    }
}

#[test]
fn the_hosts_own_addresses_are_denied_even_where_private_ones_are_allowed() {
    let world = World::new();
    for address in ["127.0.0.1", "::1", "0.0.0.0", &HOST.to_string(), &HOST_V6.to_string()] {
        for rules in ["ports: [443]", "allow_private: true"] {
            let reasons = denied_with(&world, &[address], rules);
            let known = ["host-address", "private-address"];
            assert!(reasons.len() == 1 && known.contains(&reasons[0].as_str()), "{address} {rules}: {reasons:?}");
        }
    }
}

#[test]
fn one_forbidden_address_among_others_denies_them_all() {
    let world = World::new();
    for other in ["10.1.2.3", "127.0.0.1", "169.254.169.254", "fd00::1"] {
        assert_eq!(denied_with(&world, &["11.1.0.1", other], "ports: [443]").len(), 1, "{other}");
    }
}

#[test]
fn private_addresses_are_reached_where_the_rule_says_so() {
    let world = World::new();
    assert!(denied_with(&world, &["10.1.2.3"], "allow_private: true").is_empty());
    assert!(denied_with(&world, &["fd00::1"], "allow_private: true").is_empty());
    assert_eq!(denied_with(&world, &["169.254.1.1"], "allow_private: true"), ["host-address"]);
}

#[test]
fn a_range_allows_the_private_addresses_that_it_names() {
    let world = world("target.example", &["10.1.2.3".parse().unwrap()]);
    let policy = "domains:\n  - pattern: \"target.example\"\nip_ranges:\n  - cidr: \"10.1.0.0/16\"\n    ports: [443]\n";
    let (said, run) =
        world.policy(policy).python("print(https('target.example'), https('10.1.2.3', name='target.example'))");
    assert_eq!(said, ["200 200"], "{:?}", run.log.reasons());
}

#[test]
fn a_name_that_changes_its_address_is_checked_at_each_dial() {
    let inside = Ipv4Addr::new(10, 1, 2, 3);
    let both = |address: Ipv4Addr| [vec![address.into()], vec![address.into()]];
    let steps = [both(WEB), both(inside)].concat();
    let world = World::with(Options::default().name("rebind.example", Answer::Sequence(steps)));
    let script = "print(https('rebind.example'), https('rebind.example'))";
    let bottle = world.allow(&["rebind.example"]).also("11.1.0.1:443");
    let (said, run) = bottle.python(script);
    assert_eq!(said, ["200 ECONNRESET"], "{:?}", world.lab.dns_queries());
    assert_eq!(run.log.reasons(), ["private-address"]);
    let to_inside = |packet: &bottle_lab::Packet| packet.destination().is_some_and(|to| to.ip() == inside);
    assert!(!world.lab.packets("host/eth0").unwrap().iter().any(to_inside));
}

#[test]
fn a_connection_is_one_resolution() {
    let world = World::new();
    let (said, _) =
        world.allow(&["api.allowed.example"]).python("print(*[https('api.allowed.example') for _ in range(3)])");
    assert_eq!(said, ["200 200 200"]);
    let mut kinds: Vec<String> = world.lab.dns_queries().unwrap().into_iter().map(|query| query.kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["A", "AAAA"], "the answers are kept for their time to live");
}

#[test]
fn strange_spellings_of_addresses_reach_nothing() {
    let world = World::new();
    let script = "
for host in '0x0b010001', '013.1.0.1', '184614913', '11.1.1', '0x7f.1', '2130706433', '11.1.0.1.', '[::ffff:11.1.0.1]', '::ffff:11.1.0.1':
    direct = https(host.strip('[]'), name='api.allowed.example')
    proxied = status(say(tcp('28.0.0.1', 3128), f'CONNECT {host}:443 HTTP/1.1\\r\\nHost: {host}:443\\r\\n\\r\\n'))
    print(host, direct, proxied)
for line in 'CONNECT user:secret@api.allowed.example:443', 'GET http://user@api.allowed.example/', 'GET ftp://api.allowed.example/', 'GET file:///etc/passwd', 'GET https://api.allowed.example/':
    print(line, status(say(tcp('28.0.0.1', 3128), f'{line} HTTP/1.1\\r\\nHost: api.allowed.example\\r\\n\\r\\n')))";
    let policy =
        "domains:\n  - pattern: \"api.allowed.example\"\n    protocol: http\n  - pattern: \"api.allowed.example\"\n";
    let (said, _) = world.policy(policy).python(script);
    for line in said {
        assert!(!line.contains(" 200"), "{line}");
    }
    assert!(world.lab.dns_queries().unwrap().is_empty());
}
