//! Does a container get its airlock where the engine calls no hooks, because `bottle-oci` stands before its runtime?

use std::fs;
use std::path::Path;
use std::process::Command;

use bottle_evidence::sha256;
use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::host;
use crate::running::{Held, Running};
use crate::scene::{Contained, Scene, name};
use crate::world::{Said, said, text};

const SEES: &str = "busybox ls /sys/class/net | busybox tr '\\n' ' '";
const WAIT: &str = "echo ready; read -r line; exit 7";

/// A bundle as an engine without hooks writes it.
fn plain(scene: &Scene, script: &str) -> Bundle {
    let mut bundle = scene.bundle(script);
    bundle.configuration.as_object_mut().unwrap().remove("hooks");
    bundle
}

/// `bottle-oci run`, not started yet.
fn command(scene: &Scene, bundle: &Bundle) -> Command {
    bundle.write();
    let mut wrapper = scene.wrapper();
    wrapper.arg("--root").arg(scene.path("runc")).args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
    wrapper
}

fn run(scene: &Scene, bundle: &Bundle) -> Said {
    said(&mut command(scene, bundle))
}

fn start(scene: &Scene, bundle: &Bundle) -> Contained {
    let running = Running::start(command(scene, bundle)).ready();
    let record = scene.living().remove(0);
    let held = |who: &str| Held::new(u32::try_from(record[who].as_u64().unwrap()).unwrap());
    Contained { running, supervisor: held("supervisor"), first: held("workload") }
}

fn configuration(bundle: &Bundle) -> Value {
    serde_json::from_slice(&fs::read(bundle.place.join("config.json")).unwrap()).unwrap()
}

/// Nothing was run, nothing is left, nothing was changed, and the engine's person was told this.
fn assert_refused(scene: &Scene, bundle: &Bundle, why: &str) {
    let marker = scene.path("runtime-was-called");
    let runtime = scene.path("runtime");
    fs::write(&runtime, format!("#!/bin/sh\necho called >{}\n", text(&marker))).unwrap();
    fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    scene.also(&json!({"runtime": text(&runtime)}));
    let said = run(scene, bundle);
    assert!(said.code == 1 && said.out.is_empty() && said.err.contains(why), "{why}: {said:?}");
    assert!(!marker.exists(), "{why}");
    assert_eq!(configuration(bundle), bundle.configuration, "{why}");
    assert!(scene.evidence().is_empty());
    scene.assert_nothing_left();
}

#[test]
fn a_container_without_hooks_is_behind_an_airlock_and_its_log_verifies() {
    let scene = Scene::new();
    let bundle = plain(&scene, SEES);
    assert_eq!(run(&scene, &bundle).ok().trim(), "eth0 lo");
    scene.assert_nothing_left();
    scene.verified();
    let edited = configuration(&bundle);
    // What the engine's runtime was told is what was attested.
    let bytes = fs::read(bundle.place.join("config.json")).unwrap();
    assert_eq!(scene.subject("image"), sha256(&bytes).to_string());
    assert_eq!(run(&scene, &bundle).ok().trim(), "eth0 lo");
    assert_eq!(configuration(&bundle), edited);
}

#[test]
fn a_network_that_the_engine_has_made_is_replaced() {
    let scene = Scene::new();
    let mut bundle = plain(&scene, SEES);
    bundle.namespace("network", Some("/proc/self/ns/net"));
    assert_eq!(run(&scene, &bundle).ok().trim(), "eth0 lo");
    scene.assert_nothing_left();
    scene.verified();
}

#[test]
fn a_container_that_is_left_alone_has_the_configuration_that_it_had() {
    let scene = Scene::new();
    scene.settings(&json!({"unannotated": "left-alone"}));
    let bundle = plain(&scene, SEES);
    let mut engine = command(&scene, &bundle);
    let path = bundle.place.join("config.json");
    let odd = format!(" {}\n\n", fs::read_to_string(&path).unwrap().replace("\":", "\" : "));
    fs::write(&path, &odd).unwrap();
    assert_eq!(said(&mut engine).ok().trim(), "lo");
    assert_eq!(fs::read_to_string(&path).unwrap(), odd);
    assert!(scene.evidence().is_empty() && !Path::new(&scene.path("state")).exists());
}

#[test]
fn a_container_around_which_no_airlock_would_hold_is_refused_before_its_engine_hears_of_it() {
    let scene = Scene::new();
    let mut bundle = plain(&scene, "echo ran");
    bundle.configuration["process"]["capabilities"]["bounding"].as_array_mut().unwrap().push(json!("CAP_NET_ADMIN"));
    assert_refused(&scene, &bundle, "CAP_NET_ADMIN");
    let mut bundle = plain(&scene, "echo ran");
    bundle.namespace("network", None);
    assert_refused(&scene, &bundle, "network namespace of its own");
    let mut bundle = plain(&scene, "echo ran");
    bundle.annotate("bottle.policy", "missing.yaml");
    assert_refused(&scene, &bundle, "missing.yaml");
    let mut bundle = plain(&scene, "echo ran");
    bundle.configuration["hooks"] = json!({"startContainer": [{"path": "/bin/true"}]});
    assert_refused(&scene, &bundle, "/bin/true runs after");
}

#[test]
fn a_container_that_joins_a_bottle_is_behind_its_airlock_and_has_no_power_over_it() {
    let scene = Scene::new();
    let first = plain(&scene, WAIT);
    let contained = start(&scene, &first);
    let paths = ["network", "user"].map(|kind| (kind, format!("/proc/{}/ns/{}", contained.first.pid, short(kind))));
    let joining = |script: &str| {
        let mut bundle = plain(&scene, script);
        for (kind, path) in &paths {
            bundle.namespace(kind, Some(path));
        }
        bundle
    };
    let inside = joining(SEES);
    let said = run(&scene, &inside);
    if host::is_root() {
        assert_eq!(said.ok().trim(), "eth0 lo", "{said:?}");
    } else {
        // An ordinary user may not look where runc has put a process that joins another user namespace, and so nobody tells.
        assert!(said.code == 1 && said.out.is_empty() && said.err.contains("cannot look at"), "{said:?}");
    }
    assert_eq!(scene.living().len(), 1);
    let mut powerful = joining("echo ran");
    powerful.configuration["process"]["capabilities"]["bounding"].as_array_mut().unwrap().push(json!("CAP_NET_ADMIN"));
    let said = run(&scene, &powerful);
    assert!(said.code == 1 && said.out.is_empty() && said.err.contains("CAP_NET_ADMIN"), "{said:?}");
    assert_eq!(contained.finish().code, 7);
    scene.assert_nothing_left();
    scene.verified();
}

fn short(kind: &str) -> &str {
    if kind == "network" { "net" } else { kind }
}

#[test]
fn a_container_of_a_pod_without_an_airlock_is_refused() {
    let scene = Scene::new();
    let mut bundle = plain(&scene, "echo ran");
    bundle.annotate("io.kubernetes.cri.container-type", "container");
    bundle.namespace("network", Some("/proc/self/ns/net"));
    assert_refused(&scene, &bundle, "part of a pod");
}
