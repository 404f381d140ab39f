//! How does a container's bottle end? With the container, whoever ends which of them.

use std::os::unix::fs::MetadataExt;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::json;

use crate::bundle::Bundle;
use crate::host;
use crate::running::Held;
use crate::scene::{Scene, name};
use crate::world::{LIMIT, said, text};

const WAIT: &str = "echo ready; read -r line; exit 7";

fn end_of(scene: &Scene) -> serde_json::Value {
    scene.verified().into_iter().find(|entry| entry["kind"] == "run.end").unwrap()
}

#[test]
fn the_supervisor_outlives_the_hook_and_ends_with_the_container() {
    let scene = Scene::new();
    let contained = scene.start(&scene.bundle(WAIT));
    assert_eq!(host::first_argument(contained.supervisor.pid), "bottle-adopting");
    let said = contained.finish();
    assert_eq!(said.code, 7, "{said:?}");
    scene.assert_nothing_left();
    assert_eq!(end_of(&scene)["exit"], 7);
}

#[test]
fn those_beside_a_container_have_nothing_of_the_hook_and_execute_what_nobody_can_write() {
    let scene = Scene::new();
    let contained = scene.start(&scene.bundle(WAIT));
    // The builder may still be there, and has ended.
    let helpers = host::children(contained.supervisor.pid);
    for who in ["bottle-gate", "bottle-dialler", "bottle-warden", "bottle-keeper"] {
        let pid = helpers.iter().copied().find(|pid| host::first_argument(*pid) == who).unwrap();
        // It is closed to its own user, and root is told the same of it.
        if who == "bottle-keeper" && !host::is_root() {
            continue;
        }
        assert!(std::fs::read(format!("/proc/{pid}/environ")).unwrap().is_empty(), "{who} has variables of the hook's");
        let mount = rustix::fs::statvfs(format!("/proc/{pid}/exe")).unwrap();
        // An ordinary user has no power over the mount that the program is on; who stands in the container's network executes another.
        if host::is_root() || who == "bottle-warden" {
            assert!(
                mount.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
                "{who} executes what could be written"
            );
        }
    }
    assert_eq!(contained.finish().code, 7);
    scene.assert_nothing_left();
}

#[test]
fn a_container_that_is_killed_is_closed_in_the_log() {
    let scene = Scene::new();
    let bundle = scene.bundle(WAIT);
    let contained = scene.start(&bundle);
    said(&mut scene.runc(&["kill", &name(&bundle), "KILL"])).ok();
    assert_eq!(contained.end().code, 137);
    scene.assert_nothing_left();
    assert_eq!(end_of(&scene)["exit"], 137);
}

/// Creates a container, and kills who was about to start it.
fn created_and_not_started(scene: &Scene, bundle: &Bundle) -> Held {
    bundle.write();
    // It keeps the streams of whoever creates it.
    let mut create = scene.runc(&["create", "--bundle", text(&bundle.place), &name(bundle)]);
    assert!(create.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    let supervisor = scene.living().remove(0)["supervisor"].as_u64().unwrap();
    let (held, go) = (scene.path("held"), scene.path("go"));
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let step = ["runc", &libc::SYS_openat.to_string(), "1", ".*/exec\\.fifo"].map(str::to_owned);
    let mut engine = scene.program("python3");
    engine.args(["-c", include_str!("../lab_faults/steps.py"), text(held.parent().unwrap())]).args(step);
    engine.args(["/usr/bin/env", "runc", "--root", text(&scene.path("runc")), "start", &name(bundle)]);
    let mut engine = engine.stdin(Stdio::null()).spawn().unwrap();
    let deadline = std::time::Instant::now() + LIMIT;
    while !held.exists() {
        assert!(std::time::Instant::now() < deadline, "it was never there");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    engine.kill().unwrap();
    engine.wait().unwrap();
    std::fs::write(&go, "go").unwrap();
    Held::new(u32::try_from(supervisor).unwrap())
}

/// It waits to be started, as one that an engine has created for later: nobody can tell the two apart.
#[test]
fn a_container_whose_engine_was_killed_before_its_start_keeps_its_airlock_until_it_is_deleted() {
    let scene = Scene::new();
    let bundle = scene.bundle("exit 7");
    let supervisor = created_and_not_started(&scene, &bundle);
    assert_eq!(scene.living().len(), 1);
    said(&mut scene.runc(&["delete", "--force", &name(&bundle)])).ok();
    assert!(supervisor.ends_within(LIMIT));
    scene.assert_nothing_left();
    assert_eq!(end_of(&scene)["exit"], 137);
}

#[test]
fn a_container_whose_engine_was_killed_before_its_start_is_started_by_another_behind_its_airlock() {
    let scene = Scene::new();
    let bundle = scene.bundle("exit 7");
    let supervisor = created_and_not_started(&scene, &bundle);
    said(&mut scene.runc(&["start", &name(&bundle)])).ok();
    assert!(supervisor.ends_within(LIMIT));
    assert_eq!(end_of(&scene)["exit"], 7);
    said(&mut scene.runc(&["delete", "--force", &name(&bundle)])).ok();
    scene.assert_nothing_left();
}

#[test]
fn a_change_of_what_was_attested_ends_the_container() {
    let scene = Scene::new();
    let contained = scene.start(&scene.bundle(WAIT));
    let network = format!("--net=/proc/{}/ns/net", contained.first.pid);
    said(scene.world.privileged("nsenter").arg(network).args(["nft", "flush", "ruleset"])).ok();
    assert_eq!(contained.end().code, 137);
    scene.assert_nothing_left();
    let log = scene.verified();
    assert!(log.iter().any(|entry| entry["kind"] == "drift" && entry["what"] == "ruleset"), "{log:?}");
}

#[test]
fn a_second_network_that_is_given_later_ends_the_container() {
    let scene = Scene::new();
    let contained = scene.start(&scene.bundle(WAIT));
    let network = format!("--net=/proc/{}/ns/net", contained.first.pid);
    let words = ["ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1"];
    said(scene.world.privileged("nsenter").arg(network).args(words)).ok();
    assert_eq!(contained.end().code, 137);
    let drift: Vec<_> = scene.verified().into_iter().filter(|entry| entry["kind"] == "drift").collect();
    // Of one change the kernel tells in several notifications.
    assert!(drift.len() == 1 && drift[0]["detail"].as_str().unwrap().contains("device"), "{drift:?}");
}

#[test]
fn a_helper_that_is_killed_takes_the_container_with_it() {
    for role in ["bottle-gate", "bottle-dialler", "bottle-warden", "bottle-keeper"] {
        let scene = Scene::new();
        let contained = scene.start(&scene.bundle(WAIT));
        let helpers = host::children(contained.supervisor.pid);
        let helper = helpers.into_iter().find(|pid| host::first_argument(*pid) == role);
        Held::new(helper.unwrap_or_else(|| panic!("no {role}"))).signal(Signal::KILL);
        assert_eq!(contained.end().code, 137, "{role}");
        scene.assert_nothing_left();
        scene.verified();
    }
}

/// Its process `bottle-keeper`.
fn keeper_of(contained: &crate::scene::Contained) -> Held {
    let helpers = host::children(contained.supervisor.pid);
    Held::new(helpers.into_iter().find(|pid| host::first_argument(*pid) == "bottle-keeper").unwrap())
}

#[test]
fn a_keeper_that_is_stopped_takes_the_container_with_it() {
    let scene = Scene::new();
    let contained = scene.start(&scene.bundle(WAIT));
    keeper_of(&contained).signal(Signal::STOP);
    assert_eq!(contained.end().code, 137);
    scene.assert_nothing_left();
    let drift: Vec<_> = scene.verified().into_iter().filter(|entry| entry["kind"] == "drift").collect();
    assert!(drift.len() == 1 && drift[0]["what"] == "keeper", "{drift:?}");
}

#[test]
fn a_keeper_can_be_looked_into_by_nobody_once_it_was_measured() {
    let scene = Scene::new();
    let contained = scene.start(&scene.bundle(WAIT));
    let keeper = keeper_of(&contained);
    // What can't be dumped belongs to root in /proc, whoever it is, or to nobody where root is not known.
    let own = host::status(keeper.pid, "Uid").unwrap();
    let owner = std::fs::metadata(format!("/proc/{}/status", keeper.pid)).unwrap();
    assert!(!own.split(' ').any(|uid| uid == owner.uid().to_string()), "{own}: {}", owner.uid());
    if !host::is_root() {
        // The same user, and without power over the namespace in which bottle was started, as on any host.
        let looked = said(scene.program("cat").arg(format!("/proc/{}/maps", keeper.pid)));
        assert!(looked.code != 0 && looked.out.is_empty(), "{looked:?}");
    }
    contained.finish();
    scene.assert_nothing_left();
}

#[test]
fn a_supervisor_that_is_killed_takes_the_container_with_it() {
    let scene = Scene::new();
    let contained = scene.start(&scene.bundle(WAIT));
    let helpers: Vec<Held> = host::children(contained.supervisor.pid).into_iter().map(Held::new).collect();
    contained.supervisor.signal(Signal::KILL);
    assert_eq!(contained.end().code, 137);
    assert!(helpers.iter().all(|helper| helper.ends_within(crate::world::LIMIT)));
    scene.assert_nothing_left();
    // Nobody was left to close it, and nobody takes it for whole.
    let log = scene.evidence().remove(0).join("audit.jsonl");
    let verified = said(&mut scene.bottle(&["audit", "verify", crate::world::text(&log)]));
    assert!(verified.code != 0, "{verified:?}");
}

#[test]
fn a_supervisor_and_a_keeper_that_are_killed_at_once_leave_a_container_that_reaches_nothing() {
    let scene = Scene::new();
    scene.policy("echo.yaml", "domains:\n  - pattern: \"web.lab.example\"\n    ports: [7]\n    protocol: tcp\n");
    let script = "echo ready; read -r line; exec 3<>/dev/tcp/28.0.0.1/3128 && echo open || echo closed; busybox ls /sys/class/net | busybox tr '\\n' ' '";
    let mut bundle = scene.bundle("");
    bundle.configuration["process"]["args"] = json!(["/usr/bin/bash", "-c", script]);
    bundle.annotate("bottle.policy", "echo.yaml");
    let mut contained = scene.start(&bundle);
    let helpers: Vec<Held> = host::children(contained.supervisor.pid).into_iter().map(Held::new).collect();
    // Neither sees the other's end.
    let keeper =
        host::children(contained.supervisor.pid).into_iter().find(|pid| host::first_argument(*pid) == "bottle-keeper");
    let keeper = Held::new(keeper.unwrap());
    contained.supervisor.signal(Signal::STOP);
    keeper.signal(Signal::KILL);
    contained.supervisor.signal(Signal::KILL);
    assert!(helpers.iter().all(|helper| helper.ends_within(crate::world::LIMIT)));
    contained.running.write("go\n");
    let said = contained.finish();
    assert!(said.out.starts_with("closed\n"), "{said:?}");
    scene.assert_nothing_left();
}

#[test]
fn bottle_stop_ends_a_container_and_exec_is_for_its_engine() {
    let scene = Scene::new();
    let mut bundle = scene.bundle(WAIT);
    bundle.annotate("bottle.name", "boxed");
    let contained = scene.start(&bundle);
    let entered = said(&mut scene.world.bottle(&["exec", "boxed", "true"]));
    assert!(entered.refused().contains("its engine's to enter"), "{entered:?}");
    said(&mut scene.world.bottle(&["stop", "-t", "1", "boxed"])).ok();
    assert_eq!(contained.end().code, 137);
    scene.assert_nothing_left();
}

#[test]
fn what_an_engine_executes_in_a_container_later_is_behind_the_same_airlock() {
    let scene = Scene::new();
    let bundle = scene.bundle(WAIT);
    let contained = scene.start(&bundle);
    let inside = ["exec", &name(&bundle), "busybox", "ls", "/sys/class/net"];
    let entered = said(&mut scene.runc(&inside));
    // /sys was mounted by the first process: the names are those of its namespace.
    assert_eq!(entered.ok(), "eth0\nlo\n");
    contained.finish();
    scene.assert_nothing_left();
}
