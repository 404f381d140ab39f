//! Is there a socket of AF_VSOCK in a container? Such belong to no network namespace, and so pass every airlock. Here each is closed as soon as it is open.

use std::fs;

use serde_json::{Value, json};

use crate::bundle::{Bundle, without_vsock};
use crate::host;
use crate::podman::{Podman, each};
use crate::scene::{Scene, Who, name};
use crate::world::{Said, said, text};

const WAYS: &str = include_str!("vsock.py");

/// A bundle that says which ways are open.
fn asking(scene: &Scene) -> Bundle {
    let bundle = scene.bundle("python3 /tmp/vsock.py");
    bundle.file("tmp/vsock.py", WAYS);
    bundle
}

/// What is open on the host, as the kernel has it.
fn outside(scene: &Scene) -> String {
    let path = scene.path("vsock.py");
    fs::write(&path, WAYS).unwrap();
    said(scene.world.program("python3").arg(&path)).ok().to_owned()
}

fn assert_all_shut(scene: &Scene, said: &Said) {
    let shut = outside(scene).replace(" open\n", " shut\n");
    assert_eq!(said.ok(), shut, "{said:?}");
}

fn wrapped(scene: &Scene, bundle: &Bundle) -> Said {
    bundle.write();
    let mut wrapper = scene.wrapper();
    wrapper.arg("--root").arg(scene.path("runc")).args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
    said(&mut wrapper)
}

/// Filters of which each leaves another way; the last one does where libseccomp takes it so, which is not relied upon.
fn open_filters() -> [Value; 5] {
    let more = |change: fn(&mut Value)| {
        let mut filter = without_vsock();
        change(&mut filter);
        filter
    };
    let plain = json!({"index": 0, "value": libc::AF_VSOCK, "op": "SCMP_CMP_EQ"});
    let mut exact = without_vsock();
    exact["syscalls"][0]["args"] = json!([plain]);
    [
        json!(null),
        json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]}),
        // The upper half of the number is looked at here, and not by the kernel.
        exact,
        more(|filter| filter["syscalls"][1]["names"] = json!(["socketcall"])),
        more(|filter| filter["architectures"] = json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])),
    ]
}

#[test]
fn a_container_in_which_sockets_of_vsock_could_be_opened_is_refused_unless_the_settings_let_it_pass() {
    for filter in open_filters() {
        let scene = Scene::new();
        let mut bundle = asking(&scene);
        bundle.configuration["linux"]["seccomp"] = filter.clone();
        let said = scene.run(&bundle);
        assert!(
            said.code != 0 && said.out.is_empty() && said.err.contains("sockets of AF_VSOCK"),
            "{filter}: {said:?}"
        );
        assert!(said.err.contains("bottle hook seccomp"), "{said:?}");
        assert!(scene.evidence().is_empty());
        scene.assert_nothing_left();
        if filter["architectures"].is_array() {
            continue;
        }
        // And there is such a way, where the kernel has such sockets.
        scene.settings(&json!({"allow": ["vsock"]}));
        let said = scene.run(&bundle);
        assert_eq!(said.ok().contains(" open\n"), outside(&scene).contains("plain open\n"), "{filter}: {said:?}");
    }
    let scene = Scene::new();
    scene.settings(&json!({"allow": ["vsock"]}));
    let mut bundle = asking(&scene);
    bundle.configuration["linux"]["seccomp"] = json!(null);
    assert_eq!(scene.run(&bundle).ok(), outside(&scene));
    scene.verified();
    assert_eq!(scene.facts()["workload.engine"]["value"]["let-pass"], json!(["vsock"]));
}

#[test]
fn in_a_container_that_is_let_be_no_way_to_a_socket_of_vsock_is_open() {
    let scene = Scene::new();
    assert_all_shut(&scene, &scene.run(&asking(&scene)));
    scene.verified();
}

#[test]
fn the_wrapper_shuts_each_way_that_an_engines_filter_leaves_and_keeps_the_rest_of_it() {
    for filter in open_filters() {
        let scene = Scene::new();
        let mut bundle = asking(&scene);
        bundle.configuration["linux"]["seccomp"] = filter.clone();
        assert_all_shut(&scene, &wrapped(&scene, &bundle));
        scene.assert_nothing_left();
    }
    // Who lets it pass has the engine's filter as it is.
    let scene = Scene::new();
    scene.settings(&json!({"allow": ["vsock"]}));
    let mut bundle = asking(&scene);
    let filter = &open_filters()[1];
    bundle.configuration["linux"]["seccomp"] = filter.clone();
    let is_open = |said: &str| said.starts_with("plain open\n");
    assert_eq!(is_open(wrapped(&scene, &bundle).ok()), is_open(&outside(&scene)));
    let written: Value = serde_json::from_slice(&fs::read(bundle.place.join("config.json")).unwrap()).unwrap();
    assert_eq!(written["linux"]["seccomp"], *filter);
}

#[test]
fn podmans_own_profile_is_refused_by_the_hooks_and_the_one_that_is_made_of_it_is_not() {
    each(|scene, who| {
        let mut podman = Podman::new(scene, who);
        let bundle = asking(scene);
        let script = "python3 /tmp/vsock.py; python3 -c 'import socket; socket.create_server((\"127.0.0.1\", 0)); socket.socket(socket.AF_UNIX)'";
        let volumes = ["--volume", "/usr:/usr:ro", "--volume", "/lib64:/lib64:ro"];
        assert_all_shut(scene, &said(&mut podman.script(&bundle, &volumes, script)));
        podman.profile = None;
        let refused = said(&mut podman.script(&bundle, &volumes, script));
        assert!(refused.code != 0 && refused.out.is_empty(), "{refused:?}");
        assert!(refused.err.contains("sockets of AF_VSOCK"), "{refused:?}");
        drop(podman);
        scene.assert_nothing_left();
    });
}

/// An ordinary user's podman calls its runtime within a user namespace of its own, if it can make one here at all.
#[test]
fn podmans_own_profile_is_closed_by_the_wrapper() {
    if !host::is_root() {
        return;
    }
    let scene = Scene::new();
    let bundle = asking(&scene);
    let runtime = scene.path("bottle-oci.sh");
    let exec = format!("BOTTLE_ROOT={} exec {}", text(&scene.path("state")), scene.wrapping().join(" "));
    fs::write(&runtime, format!("#!/bin/sh\n{exec} \"$@\"\n")).unwrap();
    fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let podman = Podman::without_hooks(&runtime, &scene, &Who::Tester);
    let volumes = ["--volume", "/usr:/usr:ro", "--volume", "/lib64:/lib64:ro"];
    assert_all_shut(&scene, &said(&mut podman.script(&bundle, &volumes, "python3 /tmp/vsock.py")));
    drop(podman);
    scene.assert_nothing_left();
}

#[test]
fn a_profile_that_can_not_be_used_is_an_error_and_without_one_it_is_that_of_every_bottle() {
    let scene = Scene::new();
    let of = |words: &[&str]| said(&mut scene.bottle(&[&["hook", "seccomp"][..], words].concat()));
    let file = scene.path("profile.json");
    for wrong in ["", "[]", "{\"syscalls\": 7, \"defaultAction\": \"SCMP_ACT_NOTIFY\"}"] {
        fs::write(&file, wrong).unwrap();
        let said = of(&[text(&file)]);
        assert!(said.code == 2 && said.out.is_empty(), "{wrong}: {said:?}");
    }
    let own: Value = serde_json::from_str(of(&[]).ok()).unwrap();
    assert_eq!(own["defaultAction"], "SCMP_ACT_ERRNO");
    // What was made is as it is.
    fs::write(&file, own.to_string()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(of(&[text(&file)]).ok()).unwrap(), own);
}
