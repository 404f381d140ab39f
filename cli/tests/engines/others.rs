//! Do the hooks work for crun, as far as this machine lets it run, and within a user namespace of an engine's?

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::host;
use crate::scene::{Scene, Who, name};
use crate::world::{LIMIT, said, text};

pub const SEES: &str = "busybox ls /sys/class/net | busybox tr '\\n' ' '";

/// What crun wants to see: control groups of the second version alone. It is shown no others, and makes none. Only root can have it so.
pub fn with_new_groups(scene: &Scene, who: &Who) -> Command {
    let show = "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec \"$@\"";
    let mut command = scene.world.program("unshare");
    command.args(["--mount", "sh", "-c", show, "sh"]);
    if let Who::User(name) = who {
        command.args(["setpriv", "--reuid", name, "--regid", name, "--init-groups"]);
    }
    command
}

fn crun(scene: &Scene, bundle: &Bundle) -> Command {
    bundle.write();
    let mut command = with_new_groups(scene, &Who::Tester);
    command.env_remove("BOTTLE_ROOT").args(["crun", "--cgroup-manager=disabled", "--root"]).arg(scene.path("crun"));
    command.args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
    command
}

#[test]
fn a_container_of_cruns_is_behind_the_same_airlock() {
    if !host::is_root() {
        // Nobody else may mount the control groups that crun wants to see here.
        let scene = Scene::new();
        let said = said(&mut crun(&scene, &scene.bundle(SEES)));
        assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
        return;
    }
    let scene = Scene::new();
    let said = said(&mut crun(&scene, &scene.bundle(SEES)));
    assert_eq!(said.ok().trim(), "eth0 lo", "{said:?}");
    scene.assert_nothing_left();
    scene.verified();
}

/// Nobody but root may look at what crun has made, and what can't be looked at is not attested.
#[test]
fn a_container_of_cruns_that_an_ordinary_user_starts_without_podman_is_refused() {
    if !host::is_root() {
        // crun wants control groups of the second version alone, which only root can show it.
        return;
    }
    let who = Who::User("bottle-test".into());
    let scene = Scene::of(who.clone());
    let mut bundle = scene.bundle("echo ran");
    let user = nix::unistd::User::from_name("bottle-test").unwrap().unwrap();
    for (map, id) in [("uidMappings", user.uid.as_raw()), ("gidMappings", user.gid.as_raw())] {
        bundle.configuration["linux"][map] = json!([{"containerID": 0, "hostID": id, "size": 1}]);
    }
    // crun itself says nothing of what a hook said.
    scene.settings(&json!({"allow": ["runtime-annotations"]}));
    let told = scene.path("home/told");
    bundle.annotate("run.oci.hooks.stderr", text(&told));
    bundle.write();
    let run = |bundle: &Bundle| {
        let mut command = with_new_groups(&scene, &who);
        command.env_remove("BOTTLE_ROOT").env("XDG_RUNTIME_DIR", scene.path("home"));
        command.args(["crun", "--cgroup-manager=disabled", "--root"]).arg(scene.path("home/crun"));
        command.args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
        said(&mut command)
    };
    let refused = run(&bundle);
    assert!(refused.code != 0 && !refused.out.contains("ran"), "{refused:?}");
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("not ours to look at"), "{told}");
    assert!(scene.evidence().is_empty());
    scene.assert_nothing_left();
    // It is crun's without the hook.
    bundle.configuration["hooks"] = json!({});
    bundle.write();
    assert_eq!(run(&bundle).ok(), "ran\n");
}

#[test]
fn a_container_that_is_refused_does_not_run_under_crun_either() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    bundle.annotate("bottle.policy", "missing.yaml");
    let said = said(&mut crun(&scene, &bundle));
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    scene.assert_nothing_left();
    assert!(scene.evidence().is_empty());
}

/// crun would take this filter for the one that was attested: it lets everything pass.
#[test]
fn an_annotation_by_which_crun_takes_another_filter_starts_nothing() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("busybox grep -c . /proc/self/status");
    bundle.annotate("run.oci.seccomp_bpf_data", "BgAAAAAA/38=");
    // What the hook says crun does not show.
    let said = said(&mut crun(&scene, &bundle));
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    scene.assert_nothing_left();
    assert!(scene.evidence().is_empty());
}

#[test]
fn a_hook_that_is_missing_hangs_or_fails_starts_nothing_under_crun_either() {
    let scene = Scene::new();
    let fifo = scene.path("settings-that-never-come");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let faults: [fn(&mut Value, &Path); 3] = [
        |hook, _| hook["path"] = json!("/nowhere/bottle"),
        |hook, fifo| (hook["args"][4], hook["timeout"]) = (json!(text(fifo)), json!(2)),
        |hook, _| hook["env"] = json!(["BOTTLE_ROOT=relative"]),
    ];
    for fault in faults {
        let mut bundle = scene.bundle("echo ran");
        fault(&mut bundle.configuration["hooks"]["createRuntime"][0], &fifo);
        let begun = Instant::now();
        let said = said(&mut crun(&scene, &bundle));
        assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
        // The hook may take 120 s: crun must not wait for that where the hook has failed.
        assert!(begun.elapsed() < LIMIT, "{:?}: {said:?}", begun.elapsed());
        scene.assert_nothing_left();
        assert!(scene.evidence().is_empty());
    }
}

/// An ordinary user's engine that has no range of ids is root of a user namespace with that one.
#[test]
fn an_engine_within_a_user_namespace_without_ids_for_bottle_starts_nothing_and_says_why() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    for map in ["uidMappings", "gidMappings"] {
        bundle.configuration["linux"][map] = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
    }
    bundle.write();
    let mut engine = scene.world.program("unshare");
    engine.env_remove("BOTTLE_ROOT").args(["--user", "--map-root-user", "--mount", "runc", "--root"]);
    engine.arg(scene.path("runc")).args(["run", "--bundle", text(&bundle.place), &name(&bundle)]);
    let said = said(&mut engine);
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    assert!(said.err.contains("has 0 ids besides its root's") && said.err.contains("/etc/subuid"), "{said:?}");
    scene.assert_nothing_left();
    assert!(scene.evidence().is_empty());
}
