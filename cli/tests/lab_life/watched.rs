//! Does every change of what was attested cut the upstream, kill the workload, and say in the log what changed?

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::host;
use crate::running::{Held, Processes, Running};
use crate::side::Side::{self, Agent, Gate};
use crate::world::{ALLOW_ECHO, CONNECTED, LIMIT, World, entries, said, text};

/// What somebody with power over the namespaces does, where, by which script, as what it may be noticed first, and what
/// the revocation names, one or another of these.
type Row = (&'static str, Side, &'static str, &'static [&'static str], &'static [&'static str]);

const RULES: [&str; 1] = ["ruleset"];

/// The device and the other end's addresses, of which either may be told first.
const OF_AGENT: [&str; 3] = ["link eth0", "28.0.0.", "route to "];
const OF_GATE: [&str; 3] = ["link g0", "28.0.0.", "route to "];

const ROWS: &[Row] = &[
    ("a rule added", Agent, "nft add rule inet bottle output counter accept", &RULES, &["rule"]),
    ("a rule added", Gate, "nft insert rule inet bottle prerouting counter accept", &RULES, &["rule"]),
    ("a rule deleted", Agent, "nft delete rule inet bottle output handle $(h output)", &RULES, &["rule"]),
    ("a rule deleted", Gate, "nft delete rule inet bottle prerouting handle $(h prerouting)", &RULES, &["rule"]),
    ("a rule replaced", Agent, "nft replace rule inet bottle output handle $(h output) accept", &RULES, &["rule"]),
    (
        "a rule replaced",
        Gate,
        "nft replace rule inet bottle prerouting handle $(h prerouting) accept",
        &RULES,
        &["rule"],
    ),
    ("a chain's policy", Gate, "nft chain inet bottle forward '{ policy accept; }'", &RULES, &["chain"]),
    ("a table flushed", Agent, "nft flush table inet bottle", &RULES, &["rule removed: inet bottle"]),
    ("a table flushed", Gate, "nft flush table inet bottle", &RULES, &["rule removed: inet bottle"]),
    ("a table deleted", Gate, "nft delete table netdev bottle", &RULES, &["removed: netdev bottle"]),
    ("a table added", Agent, "nft add table inet intruder", &RULES, &["table"]),
    ("all rules flushed", Agent, "nft flush ruleset", &RULES, &["removed: inet bottle"]),
    ("a link renamed", Agent, "ip link set eth0 name eth9", &["link"], &["eth9"]),
    ("a link renamed", Gate, "ip link set g0 name g9", &["link"], &["g9"]),
    ("a link moved", Gate, "ip link set g0 netns $OUTSIDE", &["link", "address", "route", "neighbour"], &OF_GATE),
    (
        "a link moved",
        Agent,
        "ip link set eth0 netns $OUTSIDE name moved",
        &["link", "address", "route", "neighbour"],
        &OF_AGENT,
    ),
    ("a link set down", Agent, "ip link set eth0 down", &["link", "address", "route", "neighbour"], &OF_AGENT),
    ("a link set down", Gate, "ip link set g0 down", &["link", "address", "route", "neighbour"], &OF_GATE),
    (
        "a link added",
        Gate,
        "ip link add way-out type veth peer name way-in",
        &["link", "setting"],
        &["way-", "settings of device"],
    ),
    ("an MTU", Agent, "ip link set eth0 mtu 1400", &["link"], &["eth0"]),
    ("an address added", Agent, "ip address add 10.9.9.9/32 dev lo", &["address"], &["10.9.9.9"]),
    ("an address added", Gate, "ip -6 address add fd99::1/64 dev g0", &["address", "route"], &["fd99::"]),
    ("an address removed", Gate, "ip -4 address flush dev g0", &["address", "route"], &["28.0.0.1"]),
    ("a route added", Agent, "ip route add 10.0.0.0/8 dev eth0", &["route"], &["10.0.0.0"]),
    ("a route removed", Gate, "ip route flush table all", &["route"], &["removed"]),
    ("a route replaced", Agent, "ip route replace default dev lo", &["route"], &["route to default"]),
    ("a routing rule added", Gate, "ip rule add from all lookup 77", &["rule"], &["to table 77"]),
    ("a routing rule removed", Gate, "ip -6 rule flush", &["rule"], &["removed"]),
    (
        "a neighbour changed",
        Agent,
        "ip neigh replace 28.0.0.1 lladdr 02:00:00:00:00:09 dev eth0 nud permanent",
        &["neighbour"],
        &["28.0.0.1"],
    ),
    ("a neighbour removed", Gate, "ip neigh flush dev g0 nud permanent", &["neighbour"], &["28.0.0.2"]),
    ("a queue added", Gate, "tc qdisc add dev g0 clsact", &["traffic-control"], &["traffic control added"]),
    ("forwarding", Gate, "echo 1 > /proc/sys/net/ipv4/ip_forward", &["setting", "sysctl"], &["forward"]),
    ("forwarding", Agent, "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding", &["setting", "sysctl"], &["forward"]),
    ("route_localnet", Agent, "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet", &["sysctl"], &["route_localnet"]),
    ("ip_nonlocal_bind", Gate, "echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind", &["sysctl"], &["ip_nonlocal_bind"]),
    ("accept_ra", Agent, "echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_ra", &["sysctl"], &["accept_ra"]),
    ("accept_local", Gate, "echo 1 > /proc/sys/net/ipv4/conf/g0/accept_local", &["sysctl"], &["accept_local"]),
    ("a listener closed", Gate, "ss -K -lt sport = :15001", &["listener", "gate"], &["15001", "cannot accept"]),
    ("a listener closed", Agent, "ss -K -lt sport = :53", &["listener", "gate"], &[":53", "cannot accept DNS"]),
];

/// Bottles that hold a connection, one after the other.
struct Watched {
    world: World,
    number: usize,
}

impl Watched {
    fn new() -> Watched {
        Watched { world: World::new(), number: 0 }
    }

    fn audit(&self) -> PathBuf {
        self.world.path(&format!("audit-{}.jsonl", self.number))
    }

    fn start(&mut self) -> Running {
        self.number += 1;
        let audit = self.audit();
        let options =
            ["run", "--audit", text(&audit), ALLOW_ECHO[0], ALLOW_ECHO[1], "host", "--", "bash", "-c", CONNECTED];
        Running::start(self.world.bottle(&options)).ready()
    }

    /// Strikes one, and gives back its end in the log when its upstream is cut and its workload dead.
    fn revoked(&mut self, what: &str, strike: impl FnOnce(&World, &Running)) -> Value {
        let running = self.start();
        let processes = running.processes();
        strike(&self.world, &running);
        self.assert_cut(&processes, what);
        let said = running.end();
        assert_eq!(said.code, 137, "{what}: {said:?}");
        let log = entries(&self.audit());
        let drift: Vec<&Value> = log.iter().filter(|entry| entry["kind"] == "drift").collect();
        assert_eq!(drift.len(), 1, "{what}: {log:#?}");
        let end = log.iter().find(|entry| entry["kind"] == "run.end").unwrap();
        // A long one is cut.
        let reason = format!("{}: {:.150}", drift[0]["what"].as_str().unwrap(), drift[0]["detail"].as_str().unwrap());
        assert!(end["reason"].as_str().unwrap().starts_with(&reason), "{what}: {end}");
        assert!(said.err.contains(&reason), "{what}: {said:?}");
        drift[0].clone()
    }

    /// Every connection that arrived has ended, and nothing of the workload's runs.
    fn assert_cut(&self, processes: &Processes, what: &str) {
        let lab = &self.world.lab;
        for open in lab.received("echo").unwrap() {
            lab.wait_for(LIMIT, |received| received.from == open.from && received.closed).unwrap();
        }
        assert!(processes.workload.ends_within(LIMIT), "{what}: the workload lives");
    }
}

/// Outside is the lab's host. The handle is that of a chain's last rule.
const ENTER: &str = "export OUTSIDE=$$; nsenter --net=\"$0\" sh -c \"$1\"";
const HANDLE: &str = "h() { nft -a list chain inet bottle $1 | sed -n 's/.*# handle //p' | tail -1; }";

fn in_namespace(world: &World, running: &Running, side: Side, script: &str) {
    let (place, script) = (side.place(running), format!("set -e; {HANDLE}; {script}"));
    said(world.privileged("sh").args(["-c", ENTER, &place, &script])).ok();
}

#[test]
fn each_change_of_a_namespace_cuts_kills_and_is_named_in_the_log() {
    let mut watched = Watched::new();
    for (what, side, script, noticed, named) in ROWS {
        let what = format!("{what} ({side:?})");
        let drift = watched.revoked(&what, |world, running| in_namespace(world, running, *side, script));
        assert!(noticed.contains(&drift["what"].as_str().unwrap()), "{what}: {drift}");
        let detail = drift["detail"].as_str().unwrap();
        assert!(named.iter().any(|name| detail.contains(name)), "{what}: {drift}");
        // A gate whose listener breaks may say so itself, in its own words.
        assert!(drift["what"] == "gate" || detail.starts_with(side.name()), "{what}: {drift}");
    }
}

/// Which helper, what becomes of it, and what the revocation says.
type Fate = (&'static str, fn(&Processes) -> &Held, fn(&Held), &'static str);

const FATES: &[Fate] = &[
    ("gate", |all| &all.gate, |it| it.signal(Signal::KILL), "gone"),
    ("gate", |all| &all.gate, |it| it.signal(Signal::STOP), "stopped"),
    ("gate", |all| &all.gate, replace, "gone"),
    ("dialler", |all| &all.dialler, |it| it.signal(Signal::KILL), "gone"),
    ("dialler", |all| &all.dialler, |it| it.signal(Signal::STOP), "stopped"),
    ("dialler", |all| &all.dialler, replace, "gone"),
    ("init", |all| &all.init, |it| it.signal(Signal::KILL), "gone"),
    ("init", |all| &all.init, |it| it.signal(Signal::STOP), "stopped"),
];

/// Something else with its name is there at once, and is not it.
fn replace(held: &Held) {
    let name = host::first_argument(held.pid);
    let mut other = Command::new("sleep").arg0(name).arg("600").spawn().unwrap();
    held.signal(Signal::KILL);
    assert!(held.ends_within(LIMIT));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn each_helper_that_is_dead_stopped_or_replaced_cuts_kills_and_is_named_in_the_log() {
    let mut watched = Watched::new();
    for (who, find, strike, said) in FATES {
        let drift = watched.revoked(who, |_, running| strike(find(&running.processes())));
        assert_eq!(drift["what"], *who, "{drift}");
        assert!(drift["detail"].as_str().unwrap().contains(said), "{drift}");
    }
}

/// Who writes the log can't say so itself: the gate cuts, and the next who opens the log says that its writer died.
#[test]
fn a_supervisor_that_is_dead_or_replaced_means_a_cut_a_kill_and_a_torn_log() {
    let mut watched = Watched::new();
    let deaths: [fn(&Held); 2] = [|it| it.signal(Signal::KILL), replace];
    for strike in deaths {
        let running = watched.start();
        let processes = running.processes();
        strike(&processes.supervisor);
        watched.assert_cut(&processes, "supervisor");
        running.bury();
        let audit = watched.audit();
        said(&mut watched.world.bottle(&["run", "--audit", text(&audit), "host", "--", "true"])).ok();
        let log = entries(&audit);
        let first = log.iter().position(|entry| entry["kind"] == "torn").unwrap_or_else(|| panic!("{log:#?}"));
        assert!(log[..first].iter().all(|entry| entry["kind"] != "run.end"), "{log:#?}");
        let verified = said(&mut watched.world.bottle(&["audit", "verify", text(&audit)]));
        assert_eq!(verified.code, 1, "{verified:?}");
        assert!(verified.err.contains("has no end") || verified.out.contains("has no end"), "{verified:?}");
    }
}

#[test]
fn a_supervisor_that_is_stopped_means_a_cut_and_goes_on_to_kill_and_to_say_so() {
    let mut watched = Watched::new();
    let drift = watched.revoked("supervisor", |world, running| {
        let processes = running.processes();
        processes.supervisor.signal(Signal::STOP);
        world.assert_cut();
        assert!(processes.gate.ends_within(LIMIT));
        processes.supervisor.signal(Signal::CONT);
    });
    assert_eq!(drift["what"], "gate", "{drift}");
}
