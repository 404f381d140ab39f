//! Do the manifests in examples/kubernetes say what they are to say? Held against the schemas, and done on a node.

use std::fs;
use std::path::Path;

use crate::machine::Machine;
use crate::manifest::{MANIFESTS, document, documents, validators, volumes, words};
use crate::node::{Node, can_be_had};
use crate::world::said;
use bottle_cri::Powers;

/// What would make each of no use.
const BREAKS: [(&str, &str, &str); 3] = [
    ("node.yaml", "matchLabels: {app: bottle}", "matchLabel: {app: bottle}"),
    ("pod.yaml", "runtimeClassName: bottle", "runtimeClass: bottle"),
    ("runtimeclass.yaml", "handler: bottle", "handler: [bottle]"),
];

#[test]
fn the_manifests_are_as_the_schemas_of_kubernetes_want_them_and_broken_ones_are_not() {
    let place = tempfile::tempdir().unwrap();
    let validate = |path: &Path| said(validators("kubernetes-validate").arg("--strict").arg(path));
    for (name, right, wrong) in BREAKS {
        let path = Path::new(MANIFESTS).join(name);
        let valid = validate(&path);
        // One line for each; of kinds that it has no schema of it warns.
        let passed = valid.ok().matches(" passed for resource ").count();
        assert_eq!(passed, documents(name).len(), "{valid:?}");
        let text = fs::read_to_string(path).unwrap();
        let broken = place.path().join(name);
        fs::write(&broken, text.replace(right, wrong)).unwrap();
        let broken = validate(&broken);
        assert!(broken.code != 0 && broken.out.contains("did not validate"), "{broken:?}");
    }
    let manifests = fs::read_dir(MANIFESTS).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    let mut manifests: Vec<String> = manifests.filter(|name| name.ends_with(".yaml")).collect();
    manifests.sort_unstable();
    assert_eq!(manifests, BREAKS.map(|(name, _, _)| name));
}

#[test]
fn the_documentation_shows_what_containerd_is_told_in_these_tests() {
    let told = fs::read_to_string(Path::new(MANIFESTS).join("containerd.toml")).unwrap();
    let told: Vec<&str> = told.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let shown = fs::read_to_string(Path::new(MANIFESTS).join("../../docs/kubernetes.md")).unwrap();
    assert!(told.len() > 3 && shown.contains(&told.join("\n")));
}

#[test]
fn the_daemon_set_installs_what_the_pod_then_runs_behind() {
    if !can_be_had() {
        return;
    }
    let node = Node::on(Machine::to_install_on());
    let program = fs::read(node.machine.path("/usr/local/bin/bottle")).unwrap();
    fs::rename(node.machine.path("/usr/local/bin/bottle"), node.machine.path("/var/lib/bottle-program")).unwrap();
    fs::remove_file(node.machine.path("/usr/local/bin/bottle-oci")).unwrap();
    // One that the map of configuration does not have any more.
    node.machine.policy("old.yaml", "domains: []\n");
    install(&node);
    // The pod is shown the host's programs, in which these are mounted, and may not be able to change its judge.
    node.close();
    assert_eq!(fs::read(node.machine.path("/usr/local/bin/bottle")).unwrap(), program);
    let policies = fs::read_dir(node.machine.path("/etc/bottle/policies")).unwrap().flatten();
    let policies: Vec<_> = policies.map(|entry| entry.file_name()).collect();
    assert_eq!(policies, ["agent.yaml"]);

    let class = document("runtimeclass.yaml", "RuntimeClass");
    let manifest = document("pod.yaml", "Pod");
    assert_eq!(manifest["spec"]["runtimeClassName"], class["metadata"]["name"]);
    let handler = class["handler"].as_str().unwrap().to_owned().leak();
    let mut wanted = node.pod(handler, "agent");
    for (name, value) in manifest["metadata"]["annotations"].as_object().unwrap() {
        wanted = wanted.annotated(name, value.as_str().unwrap());
    }
    let pod = wanted.run(&node.cri).unwrap();
    let container = pod.container("agent", &Powers::default()).unwrap();
    let names = "for name in api.anthropic.com evil.attacker.example; do
        getent ahostsv4 $name >/dev/null && echo answered || echo none; done";
    assert_eq!(pod.shell(&container, names), "answered\nnone\n");
    pod.remove();
    node.assert_nothing_left();
    node.verified();
}

/// Runs what the daemon set has its pods do first, in a pod of plain runc's, with a program where its image has it.
fn install(node: &Node) {
    let set = document("node.yaml", "DaemonSet");
    let spec = &set["spec"]["template"]["spec"];
    let places = volumes(node, "node.yaml", spec);
    let installer = &spec["initContainers"][0];
    let mounts = installer["volumeMounts"].as_array().unwrap().iter();
    let mounts = mounts.map(|mount| (&*places[mount["name"].as_str().unwrap()], mount["mountPath"].as_str().unwrap()));
    let writable = mounts.chain([("/var/lib/bottle-program", "/bottle")]).collect();
    let pod = node.pod("runc", "install").run(&node.cri).unwrap();
    let container = pod.container("install", &Powers { writable, ..Powers::default() }).unwrap();
    let command = words(&installer["command"]);
    pod.execute(&container, &command);
    pod.remove();
    node.assert_nothing_left();
}
