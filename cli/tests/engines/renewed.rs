//! Can a container's bottle be attested again while it runs, and does what deviates end the container?

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::host;
use crate::scene::{Scene, name};
use crate::world::{Said, said, text};

/// With some room for a machine that has other things to do.
const MINUTE: Duration = Duration::from_secs(60 + 30);

const WAIT: &str = "echo ready; read -r line; exit 7";

pub fn named(scene: &Scene) -> Bundle {
    let mut bundle = scene.bundle(WAIT);
    bundle.annotate("bottle.name", "boxed");
    bundle
}

pub fn nonce(digit: &str) -> String {
    digit.repeat(64)
}

fn renew(scene: &Scene, nonce: &str) -> Said {
    said(&mut scene.world.bottle(&["attest", "renew", "boxed", "--nonce", nonce]))
}

/// A new attestation, in a file, and its facts.
pub fn renewed(scene: &Scene, nonce: &str) -> (PathBuf, Value) {
    let path = scene.path(&format!("renewed-{}.json", &nonce[..1]));
    let mut command = scene.world.bottle(&["attest", "renew", "boxed", "--nonce", nonce, "--attestation"]);
    said(command.arg(&path)).ok();
    said(&mut scene.world.bottle(&["attest", "verify", text(&path), "--nonce", nonce, "--running", "boxed"])).ok();
    let shown = said(&mut scene.world.bottle(&["attest", "show", "--json", text(&path)]));
    let shown: Value = serde_json::from_str(shown.ok()).unwrap();
    assert_eq!(shown["predicate"]["stage"], "running");
    (path, shown["predicate"]["facts"].clone())
}

#[test]
fn a_container_that_runs_is_attested_as_its_engine_has_confined_it() {
    let scene = Scene::new();
    let contained = scene.start(&named(&scene));
    let (path, facts) = renewed(&scene, &nonce("a"));
    // What was only the engine's word is measured now.
    assert_eq!(facts.get("workload.stage"), None);
    let workload = &facts["workload.process"]["value"];
    assert_eq!((&workload["no_new_privs"], &facts["workload.process"]["basis"]), (&json!(true), &json!("measured")));
    // CAP_NET_RAW and others that reach nothing.
    let bounding = u64::from_str_radix(workload["capabilities"]["CapBnd"].as_str().unwrap(), 16).unwrap();
    assert_eq!((bounding >> 13 & 1, bounding >> 12 & 1, bounding >> 21 & 1), (1, 0, 0), "{bounding:x}");
    assert_eq!(facts["workload.executable"]["value"]["path"], "/bin/busybox");
    let members = &facts["workload.members"]["value"];
    let without = members["without"].as_array().unwrap();
    for name in ["NET_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_ADMIN", "DAC_READ_SEARCH", "BPF"] {
        assert!(without.contains(&json!(name)), "{name}: {members}");
    }
    assert!(!without.contains(&json!("CHOWN")), "{members}");
    assert_eq!((&members["processes"], &facts["agent.processes"]["value"]["count"]), (&json!(1), &json!(2)));
    assert_eq!(contained.finish().code, 7);
    scene.assert_nothing_left();
    let log = scene.verified();
    assert!(log.iter().any(|entry| entry["kind"] == "run.renew" && entry["nonce"] == nonce("a")), "{log:?}");
    let audit = scene.evidence().remove(0).join("audit.jsonl");
    said(&mut scene.world.bottle(&["audit", "verify", text(&audit), "--attestation", text(&path)])).ok();
}

#[test]
fn a_container_that_joins_is_its_engines_runtime_until_it_is_started() {
    let scene = Scene::new();
    let contained = scene.start(&named(&scene));
    for (pids, digit) in [(false, "a"), (true, "c")] {
        let mut bundle = scene.bundle("echo ran; read -r line");
        let joined =
            [("network", "net"), ("user", "user"), ("ipc", "ipc")].into_iter().chain(pids.then_some(("pid", "pid")));
        for (kind, short) in joined {
            bundle.namespace(kind, Some(&format!("/proc/{}/ns/{short}", contained.first.pid)));
        }
        bundle.write();
        let (path, log) = (scene.path("create.log"), fs::File::create(scene.path("create.log")).unwrap());
        let (output, container) = std::io::pipe().unwrap();
        let (input, holding) = std::io::pipe().unwrap();
        let mut create = scene.runc(&["create", "--bundle", text(&bundle.place), &name(&bundle)]);
        let created = create.stdin(input).stdout(container).stderr(log).status().unwrap();
        drop(create);
        let said_of_it = fs::read_to_string(path).unwrap();
        if !host::is_root() {
            // An ordinary user may not look where runc has put a process that joins another user namespace.
            assert!(!created.success() && said_of_it.contains("cannot look at"), "{said_of_it}");
            continue;
        }
        assert!(created.success(), "{said_of_it}");
        let member = |digit: &str| renewed(&scene, &nonce(digit)).1["keeper.members"]["value"]["keepers"][0].clone();
        assert_eq!(member(digit)["created"], true);
        said(&mut scene.runc(&["start", &name(&bundle)])).ok();
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line, "ran\n");
        assert_eq!(member(if pids { "d" } else { "b" })["created"], false);
        said(&mut scene.runc(&["delete", "--force", &name(&bundle)])).ok();
        drop(holding);
    }
    assert_eq!(contained.finish().code, 7);
    scene.assert_nothing_left();
    assert!(scene.verified().iter().all(|entry| entry["kind"] != "drift"));
}

#[test]
fn what_an_engine_executes_later_counts_and_what_makes_a_user_namespace_has_no_power() {
    let scene = Scene::new();
    let bundle = named(&scene);
    let contained = scene.start(&bundle);
    // All capabilities, over nothing of the container's.
    let script = "unshare --user sh -c 'echo ready; read -r line'";
    let inside = ["exec", &name(&bundle), "sh", "-c", script];
    let entered = crate::running::Running::start(scene.runc(&inside)).ready();
    let (_, facts) = renewed(&scene, &nonce("b"));
    assert!(facts["workload.members"]["value"]["processes"].as_u64().unwrap() >= 2, "{facts}");
    entered.finish();
    assert_eq!(contained.finish().code, 7);
    scene.assert_nothing_left();
}

#[test]
fn a_container_that_is_created_and_not_started_is_still_attested_as_such() {
    let scene = Scene::new();
    let bundle = named(&scene);
    bundle.write();
    let id = name(&bundle);
    // It keeps the streams of whoever creates it.
    let mut create = scene.runc(&["create", "--bundle", text(&bundle.place), &id]);
    let quiet = || std::process::Stdio::null();
    assert!(create.stdin(quiet()).stdout(quiet()).stderr(quiet()).status().unwrap().success());
    let (_, facts) = renewed(&scene, &nonce("c"));
    assert_eq!(facts["workload.stage"]["value"], "created");
    said(&mut scene.runc(&["delete", "--force", &id])).ok();
    scene.assert_nothing_left();
}

/// The host's runtime is in sight inside, and waits here for whoever reads its log, as the one that creates a container waits for its start.
#[test]
fn a_container_that_executes_its_engines_runtime_again_is_not_taken_for_one_before_its_start() {
    let scene = Scene::new();
    let mut bundle = named(&scene);
    let script = "busybox mkfifo /tmp/log; echo ready; exec runc --log /tmp/log list";
    bundle.configuration["process"]["args"] = json!(["sh", "-c", script]);
    let contained = scene.start(&bundle);
    let executes = || std::fs::read_link(format!("/proc/{}/exe", contained.first.pid)).unwrap();
    let begun = std::time::Instant::now();
    while !executes().ends_with("runc") {
        assert!(begun.elapsed() < crate::world::LIMIT, "{:?}", executes());
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let (_, facts) = renewed(&scene, &nonce("f"));
    assert_eq!(facts.get("workload.stage"), None);
    assert!(facts["workload.executable"]["value"]["path"].as_str().unwrap().ends_with("runc"), "{facts}");
    said(&mut scene.runc(&["kill", &name(&bundle), "KILL"])).ok();
    assert_eq!(contained.end().code, 137);
    scene.assert_nothing_left();
}

#[test]
fn a_process_with_power_over_the_airlock_is_found_and_ends_the_container() {
    // What no container is started with, none may have later.
    for capability in ["CAP_NET_ADMIN", "CAP_DAC_READ_SEARCH"] {
        let scene = Scene::new();
        let bundle = named(&scene);
        let contained = scene.start(&bundle);
        let inside = ["exec", "--cap", capability, &name(&bundle), "sh", "-c", "echo ready; read -r line"];
        let _entered = crate::running::Running::start(scene.runc(&inside)).ready();
        let refused = renew(&scene, &nonce("d"));
        assert!(refused.code != 0 && refused.out.is_empty() && refused.err.contains(capability), "{refused:?}");
        assert_eq!(contained.end().code, 137);
        scene.assert_nothing_left();
        let drift: Vec<Value> = scene.verified().into_iter().filter(|entry| entry["kind"] == "drift").collect();
        assert!(drift.len() == 1 && drift[0]["what"] == "remeasured", "{drift:?}");
    }
}

/// Whoever put it there: root of the host's, for a bottle of whatever user's.
#[test]
fn a_process_among_a_containers_and_in_another_network_is_found_and_ends_the_container() {
    let scene = Scene::new();
    let contained = scene.start(&named(&scene));
    let mut beside = scene.world.program("nsenter");
    if !crate::host::is_root() {
        beside.args(["--preserve-credentials", "--user"]);
    }
    beside.args(["--pid", "--target", &contained.first.pid.to_string(), "sh", "-c", "echo ready; read -r line"]);
    let _beside = crate::running::Running::start(beside).ready();
    let refused = renew(&scene, &nonce("f"));
    assert!(refused.code != 0 && refused.err.contains("among the container's processes"), "{refused:?}");
    assert_eq!(contained.end().code, 137);
    scene.assert_nothing_left();
    let drift: Vec<Value> = scene.verified().into_iter().filter(|entry| entry["kind"] == "drift").collect();
    assert!(drift.len() == 1 && drift[0]["what"] == "remeasured", "{drift:?}");
}

/// It could open sockets of AF_VSOCK, which are in no network.
#[test]
fn a_process_in_a_containers_network_without_a_filter_is_found_and_ends_the_container() {
    let scene = Scene::new();
    let contained = scene.start(&named(&scene));
    let mut unfiltered = scene.world.program("nsenter");
    if !crate::host::is_root() {
        unfiltered.arg("--preserve-credentials");
    }
    unfiltered.args(["--user", "--net", "--target", &contained.first.pid.to_string()]);
    // Of capabilities it has none.
    unfiltered.args(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "sh", "-c", "echo ready; read -r line"]);
    let _unfiltered = crate::running::Running::start(unfiltered).ready();
    let refused = renew(&scene, &nonce("f"));
    assert!(refused.code != 0 && refused.err.contains("has no seccomp filter"), "{refused:?}");
    assert_eq!(contained.end().code, 137);
    scene.assert_nothing_left();
}

#[test]
fn a_gate_that_is_stopped_answers_no_nonce() {
    let scene = Scene::new();
    let contained = scene.start(&named(&scene));
    let helpers = crate::host::children(contained.supervisor.pid);
    let gate = helpers.into_iter().find(|pid| crate::host::first_argument(*pid) == "bottle-gate").unwrap();
    crate::running::Held::new(gate).signal(Signal::STOP);
    let refused = renew(&scene, &nonce("e"));
    assert!(refused.code != 0 && refused.out.is_empty(), "{refused:?}");
    assert_eq!(contained.end().code, 137);
    scene.assert_nothing_left();
}

#[test]
fn what_nobody_asks_about_is_found_within_a_minute_and_ends_the_container() {
    let scene = Scene::new();
    let bundle = named(&scene);
    let contained = scene.start(&bundle);
    let inside = ["exec", "--cap", "CAP_SYS_ADMIN", &name(&bundle), "sh", "-c", "echo ready; read -r line"];
    let _entered = crate::running::Running::start(scene.runc(&inside)).ready();
    assert!(contained.first.ends_within(MINUTE), "it runs on");
    assert_eq!(contained.end().code, 137);
    scene.assert_nothing_left();
    let log = scene.verified();
    let drift = log.iter().find(|entry| entry["kind"] == "drift").unwrap();
    assert!(drift["what"] == "remeasured" && drift["detail"].as_str().unwrap().contains("CAP_SYS_ADMIN"), "{drift}");
}
