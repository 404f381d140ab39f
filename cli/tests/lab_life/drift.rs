//! What happens when something changes that was attested? The upstream is cut, the workload killed, and the log says why.
//!
//! Of one change the kernel tells in several notifications; the first that is heard is named.

use crate::side::Side;
use crate::world::{World, said};

/// Lets the owner of a running bottle's namespaces change one of them, and asserts what follows.
fn assert_revoked(side: Side, command: &[&str], what: &[&str]) {
    revoked(side, command, what);
}

/// The same; the run's end in the log, to look at further.
fn revoked(side: Side, command: &[&str], what: &[&str]) -> serde_json::Value {
    let world = World::new();
    let running = world.connected();
    let enter = format!("--net={}", side.place(&running));
    said(world.privileged("nsenter").arg(enter).args(command)).ok();
    let said = running.end();
    assert_eq!(said.code, 137, "{said:?}");
    assert!(said.err.contains("what was attested no longer holds, so the command is being killed"), "{said:?}");
    world.assert_cut();
    let drift = world.entries_of("drift");
    assert_eq!(drift.len(), 1, "{drift:?}");
    let named = drift[0]["what"].as_str().unwrap();
    assert!(what.contains(&named), "{drift:?}");
    let end = world.entries_of("run.end").remove(0);
    assert_eq!(end["exit"], 137);
    assert!(end["reason"].as_str().unwrap().starts_with(named), "{end}");
    let outcome = &world.entries_of("outcome")[0];
    // Nobody is left to say how much went through, unless the gate noticed by itself and was quicker.
    let said = what.contains(&"listener") && outcome["bytes_up"] == 6;
    assert!(outcome["result"] == "cut" && (outcome["bytes_up"].is_null() || said), "{outcome}");
    world.verify_log().ok();
    end
}

/// With the rules went the counters, so nobody knows what they had counted.
fn assert_uncounted(end: &serde_json::Value) {
    assert_eq!(end["refused"], serde_json::json!({}), "{end}");
    assert!(end["reason"].as_str().unwrap().contains("what was refused is not known"), "{end}");
}

#[test]
fn flushed_rules_in_the_agent_namespace_end_the_run() {
    assert_uncounted(&revoked(Side::Agent, &["nft", "flush", "ruleset"], &["ruleset"]));
}

#[test]
fn flushed_rules_in_the_gate_namespace_end_the_run() {
    assert_uncounted(&revoked(Side::Gate, &["nft", "flush", "ruleset"], &["ruleset"]));
}

#[test]
fn a_rule_added_behind_the_others_ends_the_run() {
    let end = revoked(Side::Gate, &["nft", "add", "table", "inet", "intruder"], &["ruleset"]);
    // The counters are as they were.
    assert_eq!(end["refused"]["udp4"], 0, "{end}");
}

#[test]
fn an_address_ends_the_run() {
    assert_revoked(Side::Agent, &["ip", "address", "add", "10.9.9.9/32", "dev", "lo"], &["address"]);
}

#[test]
fn an_address_of_the_gate_ends_the_run() {
    assert_revoked(Side::Gate, &["ip", "-6", "address", "add", "fd99::1/64", "dev", "g0"], &["address", "route"]);
}

#[test]
fn a_route_ends_the_run() {
    assert_revoked(Side::Agent, &["ip", "route", "add", "10.0.0.0/8", "dev", "eth0"], &["route"]);
}

#[test]
fn a_policy_rule_ends_the_run() {
    assert_revoked(Side::Gate, &["ip", "rule", "add", "from", "all", "lookup", "77"], &["rule"]);
}

#[test]
fn a_link_that_goes_down_ends_the_run() {
    assert_revoked(Side::Agent, &["ip", "link", "set", "eth0", "mtu", "1400"], &["link"]);
    assert_revoked(Side::Gate, &["ip", "link", "set", "g0", "down"], &["link"]);
}

#[test]
fn a_link_that_leads_elsewhere_ends_the_run() {
    let peer = ["ip", "link", "add", "way-out", "type", "veth", "peer", "name", "way-in"];
    assert_revoked(Side::Gate, &peer, &["link", "setting"]);
}

#[test]
fn a_neighbour_ends_the_run() {
    let other =
        ["ip", "neigh", "replace", "28.0.0.1", "lladdr", "02:00:00:00:00:09", "dev", "eth0", "nud", "permanent"];
    assert_revoked(Side::Agent, &other, &["neighbour"]);
}

/// The gate holds its sockets still, and nothing is announced. A gate that notices by itself ends.
#[test]
fn a_listener_that_is_aborted_ends_the_run() {
    let explicit = format!("sport = :{}", bottle_netns::Layout::default().explicit_port);
    assert_revoked(Side::Gate, &["ss", "-K", "-lt", &explicit], &["listener"]);
    assert_revoked(Side::Agent, &["ss", "-K", "-lt", "sport = :53"], &["listener", "gate"]);
}

#[test]
fn a_setting_that_the_kernel_announces_ends_the_run() {
    assert_revoked(Side::Gate, &["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], &["setting", "sysctl"]);
}

#[test]
fn a_setting_that_nobody_announces_ends_the_run() {
    assert_revoked(Side::Agent, &["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet"], &["sysctl"]);
}
