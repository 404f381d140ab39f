//! What becomes of all containers of a pod when its airlock no longer is what was attested?

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::node::{Node, can_be_had};
use crate::world::{LIMIT, said};
use bottle_cri::{EXITED, READY};
use bottle_cri::{Pod, Powers};

const ECHO: &str = "domains:\n  - pattern: \"web.lab.example\"\n    ports: [7]\n    protocol: tcp\n";

/// Connects to the lab's echo service and keeps the connection, whatever becomes of it.
const HOLD: &str =
    "exec 3<>/dev/tcp/web.lab.example/7; echo ready >&3; read -r line <&3; echo $line; exec sleep 1000000";

/// What is done to a pod's airlock, and what the log then says that it was; nothing where nobody is left to write.
enum Break {
    /// In the network namespace of the pod.
    Inside(&'static [&'static str]),
    /// To one of its processes.
    Sent(&'static str, Signal),
    /// To its supervisor, until the connections are cut.
    Suspended,
}

/// A pod with two containers that are connected.
fn connected(node: &Node) -> (Pod<'_>, [String; 2]) {
    node.machine.settings(&json!({"unannotated": "bottled", "allow": ["host-user"]}));
    node.machine.policy("echo.yaml", ECHO);
    let before = node.machine.world.lab.received("echo").unwrap().len();
    let pod = node.pod("bottle", "held").annotated("bottle.policy", "echo.yaml").run(&node.cri).unwrap();
    let powers = Powers { command: Some(vec!["/usr/bin/bash", "-c", HOLD]), ..Powers::default() };
    let containers = ["one", "two"].map(|name| pod.container(name, &powers).unwrap());
    // The sandbox, and those that sleep when they are connected.
    let begun = std::time::Instant::now();
    while node.held("sleep").len() < 3 {
        assert!(begun.elapsed() < LIMIT, "they do not connect: {:?}", node.processes());
    }
    assert_eq!(node.machine.world.lab.received("echo").unwrap().len(), before + 2);
    (pod, containers)
}

/// Breaks it, and asserts that all that the pod ran is ended and cut; what the log says.
fn broken(node: &Node, how: &Break) -> Vec<Value> {
    let (pod, containers) = connected(node);
    let sleeping = node.held("sleep");
    let is_cut = || node.machine.world.lab.received("echo").unwrap().iter().all(|received| received.closed);
    match how {
        Break::Inside(command) => {
            let enter = format!("--net=/proc/{}/ns/net", sleeping[0].pid);
            said(node.machine.world.privileged("nsenter").arg(enter).args(*command)).ok();
        }
        Break::Sent(to, signal) => node.held(to)[0].signal(*signal),
        Break::Suspended => {
            let supervisor = node.held("bottle-adopting").remove(0);
            supervisor.signal(Signal::STOP);
            let begun = std::time::Instant::now();
            while !is_cut() {
                assert!(begun.elapsed() < LIMIT, "nobody cuts");
            }
            supervisor.signal(Signal::CONT);
        }
    }
    for process in &sleeping {
        assert!(process.ends_within(LIMIT), "{process:?}");
    }
    let begun = std::time::Instant::now();
    let is_over = || containers.iter().all(|container| pod.seen(container).state == EXITED) && pod.state() != READY;
    while !is_cut() || !is_over() {
        assert!(begun.elapsed() < LIMIT, "cut: {}, over: {}", is_cut(), is_over());
    }
    assert_eq!(containers.each_ref().map(|container| pod.seen(container).code), [137; 2]);
    pod.remove();
    node.assert_nothing_left();
    let log = node.newest_log();
    log.into_iter().filter(|entry| entry["kind"] == "drift").collect()
}

#[test]
fn whatever_changes_or_breaks_in_a_pods_airlock_cuts_and_kills_all_its_containers_and_the_log_says_so() {
    if !can_be_had() {
        return;
    }
    let node = Node::new();
    for (how, what) in [
        (Break::Inside(&["nft", "add", "table", "inet", "intruder"]), "ruleset"),
        (Break::Inside(&["ip", "link", "set", "eth0", "down"]), "link"),
        (Break::Inside(&["ip", "route", "add", "10.0.0.0/8", "dev", "eth0"]), "route"),
        (Break::Sent("bottle-gate", Signal::KILL), "gate"),
        (Break::Sent("bottle-gate", Signal::STOP), "gate"),
        (Break::Sent("bottle-dialler", Signal::KILL), "dialler"),
        (Break::Sent("bottle-dialler", Signal::STOP), "dialler"),
        (Break::Sent("bottle-warden", Signal::KILL), "init"),
        (Break::Suspended, "gate"),
        // Of the sandbox and its two containers, one after the other.
        (Break::Sent("bottle-keeper", Signal::KILL), "keeper"),
        (Break::Sent("bottle-keeper", Signal::STOP), "keeper"),
    ] {
        let drift = broken(&node, &how);
        assert_eq!(drift.len(), 1, "{what}: {drift:?}");
        assert!(drift[0]["what"] == what || what == "link" && drift[0]["what"] == "route", "{what}: {drift:?}");
    }
}

#[test]
fn a_supervisor_that_is_killed_takes_all_containers_of_its_pod_along() {
    if !can_be_had() {
        return;
    }
    let node = Node::new();
    // Nobody is left to write.
    assert!(broken(&node, &Break::Sent("bottle-adopting", Signal::KILL)).is_empty());
}
