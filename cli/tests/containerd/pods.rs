//! What does a pod reach whose runtime is bottle, and what of it is refused?

use serde_json::json;

use crate::node::{Node, can_be_had};
use bottle_cri::Powers;
use bottle_cri::{NODE, POD};

const WEB: &str = "domains:\n  - pattern: \"web.lab.example\"\n    ports: [443]\n";

const FETCH: &str = "curl -sS --cacert /etc/lab/ca.pem -o /dev/null -w '%{http_code}\\n' https://web.lab.example/;
    curl -sS --cacert /etc/lab/ca.pem https://evil.attacker.example/; echo $?;
    curl -sS -k --connect-to ::11.6.6.6:443 https://evil.attacker.example/; echo $?";

const NETWORK: &str = "readlink /proc/self/ns/net";

/// Of a node that shares its user namespace with its pods, as all do that are not told otherwise.
fn node() -> Node {
    let node = Node::new();
    node.machine.settings(&json!({"unannotated": "bottled", "allow": ["host-user"]}));
    node.machine.policy("web.yaml", WEB);
    node
}

#[test]
fn the_containers_of_a_pod_share_an_airlock_and_reach_what_its_policy_names_and_nothing_else() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let pod = node.pod("bottle", "web").annotated("bottle.policy", "web.yaml").run(&node.cri).unwrap();
    let containers = ["one", "two"].map(|name| pod.container(name, &Powers::default()).unwrap());
    for container in &containers {
        let fetched = pod.shell(container, FETCH);
        // 6: the name does not resolve; 35: reset, and 7 where curl sees that while it still connects.
        assert!(["200\n6\n35\n", "200\n6\n7\n"].contains(&fetched.as_str()), "{fetched:?}");
        assert_eq!(pod.shell(container, "busybox ls /sys/class/net | busybox grep -v ifb"), "eth0\nlo\n");
    }
    let [one, two] = containers.map(|container| pod.shell(&container, NETWORK));
    assert_eq!(one, two);
    assert_eq!(node.living().len(), 1);
    assert_eq!(node.machine.world.lab.received("web").unwrap().len(), 2);
    assert!(node.machine.world.lab.received("collector").unwrap().is_empty());
    pod.remove();
    node.assert_nothing_left();
    let log = node.verified();
    let decisions = log.iter().filter(|entry| entry["kind"] == "decision" && entry["decision"] == "allow");
    assert_eq!(decisions.count(), 2, "{log:?}");
    assert_eq!(log.iter().filter(|entry| entry["kind"] == "run.end").count(), 1, "{log:?}");
}

#[test]
fn a_pod_without_annotation_is_what_the_settings_say_and_one_of_another_runtime_is_left_alone() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let sees = |handler: &'static str| {
        let pod = node.pod(handler, "plain").run(&node.cri).unwrap();
        let container = pod.container("one", &Powers::default()).unwrap();
        let seen = pod.shell(&container, "busybox ip addr show eth0; getent hosts web.lab.example; echo $?");
        pod.remove();
        node.assert_nothing_left();
        seen
    };
    let is_clusters = |seen: &str| seen.contains("inet 10.244.0.");
    assert!(is_clusters(&sees("runc")) && node.evidence().is_empty());
    let bottled = sees("bottle");
    assert!(!is_clusters(&bottled) && bottled.ends_with("\n2\n"), "{bottled}");
    assert_eq!(node.evidence().len(), 1);
    node.machine.settings(&json!({"unannotated": "left-alone"}));
    assert!(is_clusters(&sees("bottle")));
    assert_eq!(node.evidence().len(), 1);
}

#[test]
fn a_pod_around_which_no_airlock_would_hold_does_not_start_and_the_kubelet_is_told_why() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let web = || node.pod("bottle", "refused").annotated("bottle.policy", "web.yaml");
    let mut on_the_nodes_network = web();
    on_the_nodes_network.namespaces().network = NODE;
    let mut among_the_nodes_processes = web();
    among_the_nodes_processes.namespaces().pid = NODE;
    let mut with_the_nodes_memory = web();
    with_the_nodes_memory.namespaces().ipc = NODE;
    for (wanted, why) in [
        (on_the_nodes_network, "no network namespace of its own"),
        (among_the_nodes_processes, "no pid namespace of its own"),
        (with_the_nodes_memory, "no ipc namespace of its own"),
        (web().annotated("bottle.policy", "missing.yaml"), "missing.yaml"),
        (web().annotated("bottle.polcy", "web.yaml"), "bottle.polcy"),
    ] {
        let Err(status) = wanted.run(&node.cri) else { panic!("it runs: {why}") };
        assert!(status.message().contains(why), "{why}: {status:?}");
        node.assert_nothing_left();
    }
    assert!(node.evidence().is_empty());
}

#[test]
fn a_container_of_a_pod_that_could_reach_around_its_airlock_does_not_start_and_the_pod_goes_on() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let mut wanted = node.pod("bottle", "web").annotated("bottle.policy", "web.yaml");
    // Without it a runtime lets no container of it be privileged.
    wanted.security().privileged = true;
    let pod = wanted.run(&node.cri).unwrap();
    let before = pod.container("before", &Powers::default()).unwrap();
    let able = |capability| Powers { capabilities: vec![capability], ..Powers::default() };
    let socket = "/run/containerd/containerd.sock";
    let refused = [
        (able("NET_ADMIN"), "CAP_NET_ADMIN"),
        (able("SYS_ADMIN"), "CAP_SYS_ADMIN"),
        (Powers { privileged: true, ..Powers::default() }, "CAP_SYS_ADMIN"),
        (Powers { mounts: vec![("/run/containerd", "/engine")], ..Powers::default() }, socket),
        (Powers { mounts: vec![(socket, "/engine")], ..Powers::default() }, socket),
        (Powers { mounts: vec![("/run", "/node")], ..Powers::default() }, "/run"),
        (Powers { mounts: vec![("/proc", "/node")], ..Powers::default() }, "/proc shows"),
        (Powers { unmasked: true, ..Powers::default() }, "/proc/sys of the host's kernel is open"),
    ];
    for (at, (powers, why)) in refused.into_iter().enumerate() {
        let status = pod.container(&format!("refused-{at}"), &powers).unwrap_err();
        assert!(status.message().contains(why), "{why}: {status:?}");
    }
    let good = pod.container("good", &Powers::default()).unwrap();
    for container in [before, good] {
        assert!(pod.shell(&container, FETCH).starts_with("200\n"));
    }
    pod.remove();
    node.assert_nothing_left();
    node.verified();
}

#[test]
fn the_containers_of_a_pod_may_share_its_processes_too() {
    if !can_be_had() {
        return;
    }
    let node = node();
    let mut wanted = node.pod("bottle", "shared");
    wanted.namespaces().pid = POD;
    let pod = wanted.run(&node.cri).unwrap();
    let [one, two] = ["one", "two"].map(|name| pod.container(name, &Powers::default()).unwrap());
    let spaces =
        [one, two].map(|container| pod.shell(&container, "readlink /proc/self/ns/pid; readlink /proc/self/ns/net"));
    assert_eq!(spaces[0], spaces[1]);
    assert_eq!(node.living().len(), 1);
    pod.remove();
    node.assert_nothing_left();
    node.verified();
}
