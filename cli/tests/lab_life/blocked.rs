//! What does a person see of what was refused? Without a policy everything is, and each destination is told once.

use std::fs;

use bottle_lab::Packet;

use crate::world::{Said, World, said, text};

const CURL: &str = "curl -s --max-time 5 -o /dev/null";

/// The lines about blocked destinations.
fn blocked(said: &Said) -> Vec<&str> {
    said.err.lines().filter_map(|line| line.strip_prefix("bottle: blocked ")).collect()
}

/// Asserts that no packet has left the lab's host.
fn assert_silent(world: &World) {
    let packets = world.lab.packets("host/eth0").unwrap();
    let sent: Vec<&Packet> = packets.iter().filter(|packet| packet.outgoing && !packet.is_housekeeping()).collect();
    assert!(sent.is_empty(), "{sent:?}");
    assert!(world.lab.dns_queries().unwrap().is_empty());
}

fn reach_everything() -> String {
    ["https://web.lab.example", "http://web.lab.example", "https://11.1.0.1", "http://[2600:db:1::1]/"]
        .map(|url| format!("{CURL} -k {url} && echo reached {url};"))
        .concat()
        + " echo > /dev/udp/11.6.6.6/53; true"
}

#[test]
fn without_a_policy_nothing_is_reached() {
    let world = World::new();
    let script = reach_everything();
    assert_eq!(said(&mut world.run(&["host", "--", "bash", "-c", &script])).ok(), "");
    assert_silent(&world);
}

#[test]
fn with_an_empty_policy_nothing_is_reached() {
    let world = World::new();
    fs::write(world.path("policy.yaml"), "version: 1\ndomains: []\nip_ranges: []\n").unwrap();
    let (policy, script) = (world.path("policy.yaml"), reach_everything());
    assert_eq!(said(&mut world.run(&["--policy", text(&policy), "host", "--", "bash", "-c", &script])).ok(), "");
    assert_silent(&world);
}

#[test]
fn a_policy_that_is_wrong_starts_nothing_and_says_where() {
    let world = World::new();
    for (text_of_policy, place) in [
        ("version: 1\ndomains:\n  - pattern: \"*.*\"\n", ":3:"),
        ("version: 1\ndomain: []\n", ":2:"),
        ("version: 2\n", ":1:"),
        ("version: 1\nip_ranges:\n  - cidr: \"10.0.0.0/33\"\n", ":3:"),
        ("version: 1\ndomains:\n  - pattern: a.example\n    ports: []\n", ":4:"),
    ] {
        fs::write(world.path("policy.yaml"), text_of_policy).unwrap();
        let policy = world.path("policy.yaml");
        let said = said(&mut world.run(&["--policy", text(&policy), "host", "--", "sh", "-c", "echo > ran"]));
        assert!(said.refused().contains(&format!("policy.yaml{place}")), "{said:?}");
        assert!(!world.project("ran").exists() && !world.audit().exists());
    }
}

#[test]
fn each_blocked_destination_is_one_line_with_the_rule_that_would_allow_it() {
    let world = World::new();
    let fetch = |url: &str| format!("for i in 1 2 3; do {CURL} -k {url}; done;");
    let urls = ["https://evil.attacker.example", "https://11.6.6.6:8443/", "http://web.lab.example/"];
    let script = urls.map(fetch).concat() + "true";
    let said = said(&mut world.run(&["--allow", "web.lab.example", "host", "--", "bash", "-c", &script]));
    said.ok();
    let lines = blocked(&said);
    let about = |host: &str| lines.iter().filter(|line| line.starts_with(host)).copied().collect::<Vec<_>>();
    for (host, allow) in [
        ("evil.attacker.example", "--allow evil.attacker.example"),
        ("11.6.6.6:8443", ""),
        ("web.lab.example:80", "--allow http://web.lab.example"),
    ] {
        let [line] = about(host)[..] else { panic!("{host}: {said:?}") };
        assert!(line.contains(allow), "{line}");
    }
    assert_eq!(lines.len(), 3, "{lines:?}");
}
