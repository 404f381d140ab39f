//! What else does a kubelet do with a pod? Containers that end first, images of other users, streams, a runtime that is killed and
//! a pod that begins again.

use serde_json::json;

use crate::node::{Node, can_be_had};
use crate::world::LIMIT;
use bottle_cri::Heard;
use bottle_cri::{Attach, EXITED, Exec, PortForward, READY, RUNNING, Streams};
use bottle_cri::{Pod, Powers, USERS_IMAGE};

const WEB: &str = "domains:\n  - pattern: \"web.lab.example\"\n    ports: [443]\n  - pattern: \"web.lab.example\"\n    ports: [7]\n    protocol: tcp\n";

/// What is allowed, and what is not.
const FETCH: &str = "curl -sS --cacert /etc/lab/ca.pem -o /dev/null -w '%{http_code}\\n' https://web.lab.example/;
    curl -sS --cacert /etc/lab/ca.pem https://evil.attacker.example/ 2>/dev/null; echo $?";
const FETCHED: &str = "200\n6\n";

fn node() -> Node {
    let node = Node::new();
    node.machine.settings(&json!({"unannotated": "bottled", "allow": ["host-user"]}));
    node.machine.policy("web.yaml", WEB);
    node
}

fn pod<'a>(node: &'a Node, handler: &str) -> Pod<'a> {
    node.pod(handler, "web").annotated("bottle.policy", "web.yaml").run(&node.cri).unwrap()
}

fn bash(script: &str) -> Powers<'_> {
    Powers { command: Some(vec!["/usr/bin/bash", "-c", script]), ..Powers::default() }
}

#[test]
fn a_container_that_ends_before_the_others_leaves_them_the_airlock() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let pod = pod(&node, "bottle");
    // As one that initialises, and as one that fails and is started again.
    for (name, code) in [("first", 0), ("failed", 3), ("again", 0)] {
        let container = pod.container(name, &bash(&format!("export PATH=/usr/bin; {FETCH}; exit {code}"))).unwrap();
        node.cri.wait(&container);
        let begun = std::time::Instant::now();
        while pod.seen(&container).state != EXITED {
            assert!(begun.elapsed() < LIMIT, "it runs");
        }
        assert_eq!(pod.seen(&container).code, code);
    }
    assert_eq!(node.machine.world.lab.received("web").unwrap().len(), 3);
    let last = pod.container("last", &Powers::default()).unwrap();
    assert_eq!(pod.shell(&last, FETCH), FETCHED);
    assert_eq!(node.living().len(), 1);
    // Of the sandbox, the last one, and at most one that was not needed any more when that began.
    let keepers = node.processes().into_iter().filter(|(_, name)| name == "bottle-keeper").count();
    assert!((2..=3).contains(&keepers), "{keepers}");
    pod.remove();
    node.assert_nothing_left();
    assert!(node.verified().iter().all(|entry| entry["kind"] != "drift"));
}

#[test]
fn a_container_of_another_user_is_behind_the_airlock_too() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let pod = pod(&node, "bottle");
    let images = Powers { image: Some(USERS_IMAGE), ..Powers::default() };
    let pods = Powers { user: Some(1234), ..Powers::default() };
    for (name, powers, id) in [("image", images, "1000"), ("pod", pods, "1234")] {
        let container = pod.container(name, &powers).unwrap();
        assert_eq!(pod.shell(&container, &format!("id -u; {FETCH}")), format!("{id}\n{FETCHED}"));
    }
    pod.remove();
    node.assert_nothing_left();
    node.verified();
}

#[test]
fn what_is_executed_with_streams_and_who_attaches_come_through_the_runtime_and_not_through_the_airlock() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let pod = pod(&node, "bottle");
    let asking = "read -r line; echo \"got $line\"; echo bad >&2; exit 3";
    let heard = |end: &str| Heard { out: "got hello\n".into(), err: "bad\n".into(), end: end.into() };

    let sleeping = pod.container("sleeping", &Powers::default()).unwrap();
    let command = ["/usr/bin/bash", "-c", asking].map(str::to_owned).to_vec();
    let exec = Exec { container: sleeping, command, stdin: true, stdout: true, stderr: true };
    let mut streams = node.attach(&node.cri.ask("Exec", exec).unwrap());
    streams.write(b"hello\n");
    let executed = streams.heard();
    assert!(executed.end.contains("exit code 3"), "{executed:?}");
    assert_eq!(executed, heard(&executed.end));

    let attached = pod.container("attached", &Powers { stdin: true, ..bash(asking) }).unwrap();
    let attach = Attach { container: attached, stdin: true, stdout: true, stderr: true };
    let mut streams = node.attach(&node.cri.ask("Attach", attach).unwrap());
    streams.write(b"hello\n");
    let said = streams.heard();
    assert_eq!(said, heard(&said.end));
    pod.remove();
    node.assert_nothing_left();
    // None of it went through the airlock.
    assert!(node.verified().iter().all(|entry| entry["kind"] != "decision"));
}

/// What comes of a port of a pod in which somebody serves that says so.
fn forwarded(node: &Node, handler: &str) -> String {
    let pod = pod(node, handler);
    let container = pod.container("serving", &Powers::default()).unwrap();
    pod.shell(
        &container,
        "busybox nc -ll -p 8080 -e /usr/bin/echo served >/dev/null 2>&1 & sleep 0;
        until busybox nc 127.0.0.1 8080 </dev/null | busybox grep -q served; do :; done",
    );
    let asked = PortForward { pod: pod.id.clone(), ports: vec![8080] };
    let streams: Streams = node.cri.ask("PortForward", asked).unwrap();
    let heard = node.attach(&streams).heard();
    pod.remove();
    node.assert_nothing_left();
    heard.out
}

#[test]
fn a_port_of_a_pod_is_not_forwarded_from_behind_the_airlock() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let plain = forwarded(&node, "runc");
    assert!(plain.contains("served"), "{plain:?}");
    let bottled = forwarded(&node, "bottle");
    assert!(bottled.contains("connection refused") && !bottled.contains("served"), "{bottled:?}");
}

#[test]
fn a_runtime_that_is_killed_and_begins_again_leaves_the_airlock_and_the_log_as_they_were() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let pod = pod(&node, "bottle");
    let hold = "exec 3<>/dev/tcp/web.lab.example/7; echo ready >&3; exec sleep 1000000";
    let held = pod.container("held", &bash(hold)).unwrap();
    let other = pod.container("other", &Powers::default()).unwrap();
    let connected = |closed| node.machine.world.lab.wait_for(LIMIT, |it| it.service == "echo" && it.closed == closed);
    connected(false).unwrap();
    assert_eq!(pod.shell(&other, FETCH), FETCHED);
    node.restart();
    assert_eq!((pod.state(), pod.seen(&held).state), (READY, RUNNING));
    assert_eq!(pod.shell(&other, FETCH), FETCHED);
    assert!(!node.machine.world.lab.received("echo").unwrap()[0].closed);
    // It is still refused what it was refused before.
    let able = Powers { capabilities: vec!["NET_ADMIN"], ..Powers::default() };
    assert!(pod.container("able", &able).unwrap_err().message().contains("CAP_NET_ADMIN"));
    pod.remove();
    connected(true).unwrap();
    node.assert_nothing_left();
    let log = node.verified();
    let allowed = log.iter().filter(|entry| entry["kind"] == "decision" && entry["decision"] == "allow");
    assert_eq!(allowed.count(), 3, "{log:?}");
    assert_eq!(log.iter().filter(|entry| entry["kind"] == "run.end").count(), 1, "{log:?}");
}

#[test]
fn a_pod_that_was_stopped_on_its_node_takes_its_containers_along_and_begins_again_behind_an_airlock_of_its_own() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let first = pod(&node, "bottle");
    let container = first.container("one", &Powers::default()).unwrap();
    // A container has been started a moment before its program is executed.
    let begun = std::time::Instant::now();
    while node.held("sleep").len() < 2 {
        assert!(begun.elapsed() < LIMIT, "they do not sleep: {:?}", node.processes());
    }
    let sleeping = node.held("sleep");
    assert_eq!(sleeping.len(), 2);
    let name = node.living()[0]["name"].as_str().unwrap().to_owned();
    node.bottle(&["stop", "-t", "1", &name]).ok();
    for process in sleeping {
        assert!(process.ends_within(LIMIT), "{process:?}");
    }
    let begun = std::time::Instant::now();
    while first.seen(&container).state != EXITED || first.state() == READY {
        assert!(begun.elapsed() < LIMIT, "the runtime does not see it");
    }
    first.remove();
    let again = pod(&node, "bottle");
    let container = again.container("one", &Powers::default()).unwrap();
    assert_eq!(again.shell(&container, FETCH), FETCHED);
    again.remove();
    node.assert_nothing_left();
    assert_eq!(node.evidence().len(), 2);
}
