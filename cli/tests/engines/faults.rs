//! Whatever happens to a hook, does a container run without its airlock? It never does, and nothing is left.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::bundle::Bundle;
use crate::host;
use crate::running::Held;
use crate::scene::{Scene, name};
use crate::world::{LIMIT, said, text};

/// Processes below this one, with their first arguments.
fn below(pid: u32) -> Vec<(u32, String)> {
    let mut all = Vec::new();
    for child in host::children(pid) {
        all.push((child, host::first_argument(child)));
        all.extend(below(child));
    }
    all
}

/// Kills who is called so, below the engine, when it has been there for a while; tells whether it was there.
fn kill_later(engine: u32, called: &str, later: Duration) -> bool {
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        if let Some((pid, _)) = below(engine).into_iter().find(|(_, first)| first == called) {
            let Some(held) = Held::find(pid) else { return false };
            // An end that comes by itself is not waited out.
            return !held.ends_within(later) && held.signal_if_alive(Signal::KILL);
        }
        if Held::find(engine).is_none_or(|engine| engine.ends_within(Duration::from_millis(5))) {
            return false;
        }
        assert!(std::time::Instant::now() < deadline, "no {called}");
    }
}

#[test]
fn a_hook_or_supervisor_that_is_killed_at_any_moment_starts_nothing() {
    let mut killed = 0;
    for called in ["bottle", "bottle-adopting"] {
        for millis in [0, 20, 60, 120, 250, 500, 900] {
            let scene = Scene::new();
            let bundle = scene.bundle("echo ran");
            let mut engine = scene.command(&bundle);
            let engine = engine.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let hit = kill_later(engine.id(), called, Duration::from_millis(millis));
            let said = crate::world::Said::from(engine.wait_with_output().unwrap());
            let ran = said.out.contains("ran");
            assert!(hit || ran, "{called} {millis}: {said:?}");
            assert!(ran == (said.code == 0), "{called} {millis}: {said:?}");
            killed += u32::from(!ran);
            scene.assert_nothing_left();
            for directory in scene.evidence().iter().filter(|_| ran && called == "bottle") {
                said_ok(&scene, &directory.join("audit.jsonl"));
            }
        }
    }
    assert!(killed >= 4, "only {killed} were killed before the container ran");
}

fn said_ok(scene: &Scene, log: &std::path::Path) {
    said(&mut scene.world.bottle(&["audit", "verify", text(log)])).ok();
}

/// A container of runc's, one of whose processes is held at a system call, as steps.py has it, when this returns; and the FIFO by which it goes on.
fn held(scene: &Scene, bundle: &Bundle, step: [&str; 4]) -> (Child, PathBuf) {
    let (held, go) = (scene.path("held"), scene.path("go"));
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let mut engine = scene.program("python3");
    engine.args(["-c", include_str!("../lab_faults/steps.py"), text(held.parent().unwrap())]).args(step);
    bundle.write();
    engine.args(["/usr/bin/env", "runc", "--root", text(&scene.path("runc"))]).env_remove("BOTTLE_ROOT");
    engine.args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
    let engine = engine.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it was never there", || held.exists());
    (engine, go)
}

/// Looks until it is so.
fn until(otherwise: &str, is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + LIMIT;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{otherwise}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// All has been measured, and who would end the container without its supervisor is gone before it is let go on.
#[test]
fn a_container_whose_keeper_is_gone_never_runs() {
    let scene = Scene::new();
    let bundle = scene.bundle("echo ran");
    // When the attestation gets its name, all has been measured and is on record.
    let call = libc::SYS_linkat.to_string();
    let (engine, go) = held(&scene, &bundle, ["bottle-adopting", &call, "3", "attestation.json"]);
    let keeper = below(engine.id()).into_iter().find(|(_, first)| first == "bottle-keeper").unwrap();
    let keeper = Held::new(keeper.0);
    keeper.signal(Signal::KILL);
    assert!(keeper.ends_within(LIMIT), "it does not end");
    fs::write(&go, "go").unwrap();
    let said = crate::world::Said::from(engine.wait_with_output().unwrap());
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    assert!(said.err.contains("keeper: it is gone"), "{said:?}");
    scene.assert_nothing_left();
    let log = scene.evidence()[0].join("audit.jsonl");
    said_ok(&scene, &log);
}

/// It is in the container's network with all that it could do, and all others are through.
#[test]
fn a_container_whose_builder_does_not_leave_never_runs() {
    let scene = Scene::new();
    let bundle = scene.bundle("echo ran");
    let call = libc::SYS_exit_group.to_string();
    let (engine, go) = held(&scene, &bundle, ["bottle-builder", &call, "0", ""]);
    let said = crate::world::Said::from(engine.wait_with_output().unwrap());
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    assert!(said.err.contains("the builder process does not end"), "{said:?}");
    let [evidence] = <[PathBuf; 1]>::try_from(scene.evidence()).unwrap();
    assert!(!evidence.join("attestation.json").exists());
    said_ok(&scene, &evidence.join("audit.jsonl"));
    fs::write(&go, "go").unwrap();
    scene.assert_nothing_left();
}

#[test]
fn a_hook_that_hangs_is_ended_by_its_engine_and_starts_nothing() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    bundle.configuration["hooks"]["createRuntime"][0]["timeout"] = json!(2);
    // Nobody writes to it: to read it takes for ever.
    let fifo = scene.path("settings-that-never-come");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    bundle.configuration["hooks"]["createRuntime"][0]["args"][4] = json!(text(&fifo));
    let said = scene.run(&bundle);
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    scene.assert_nothing_left();
}

#[test]
fn a_second_bottle_for_the_same_container_is_refused() {
    let scene = Scene::new();
    let bundle = scene.bundle("echo ready; read -r line; exit 0");
    let contained = scene.start(&bundle);
    let state = json!({"ociVersion": "1.0.2", "id": name(&bundle), "status": "creating", "pid": contained.first.pid,
        "bundle": text(&bundle.place)});
    let settings = scene.path("hooks.json");
    let mut again = scene.world.bottle(&["hook", "create", "--settings", text(&settings)]);
    let mut again = again.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    again.stdin.take().unwrap().write_all(state.to_string().as_bytes()).unwrap();
    let said = crate::world::Said::from(again.wait_with_output().unwrap());
    assert!(said.code != 0 && said.err.contains("has a bottle already"), "{said:?}");
    assert_eq!(contained.finish().code, 0);
    scene.assert_nothing_left();
}

/// An engine that has made one in vain says of it that it has ended.
#[test]
fn a_container_goes_on_when_another_of_its_name_has_come_to_nothing() {
    let scene = Scene::new();
    let bundle = scene.bundle("echo ready; read -r line; exit 7");
    let contained = scene.start(&bundle);
    let mut other = scene.world.program("runc");
    other.env_remove("BOTTLE_ROOT").arg("--root").arg(scene.path("runc-of-others"));
    other.args(["run", "--bundle", text(&bundle.place), &name(&bundle)]);
    let refused = said(&mut other);
    assert!(refused.code != 0 && refused.err.contains("has a bottle already"), "{refused:?}");
    // Its hook is called for the one that has come to nothing, and means the other.
    assert_eq!(contained.finish().code, 7);
    scene.assert_nothing_left();
}

#[test]
fn a_container_that_is_gone_gets_no_bottle() {
    let scene = Scene::new();
    let bundle = scene.bundle("echo ran");
    bundle.write();
    let mut ended = std::process::Command::new("true").spawn().unwrap();
    let pid = ended.id();
    ended.wait().unwrap();
    let state =
        json!({"ociVersion": "1.0.2", "id": "gone", "status": "creating", "pid": pid, "bundle": text(&bundle.place)});
    let input = scene.path("input");
    fs::write(&input, state.to_string()).unwrap();
    let settings = scene.path("hooks.json");
    let mut hook = scene.world.bottle(&["hook", "create", "--settings", text(&settings)]);
    let said = said(hook.stdin(fs::File::open(&input).unwrap()));
    assert!(said.code != 0 && said.err.contains("is not there"), "{said:?}");
    scene.assert_nothing_left();
}

#[test]
fn a_hook_that_is_called_twice_starts_nothing() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    let hooks = bundle.configuration["hooks"]["createRuntime"].as_array_mut().unwrap();
    hooks.push(hooks[0].clone());
    let said = scene.run(&bundle);
    assert!(said.code != 0 && said.out.is_empty() && said.err.contains("runs after bottle's hook"), "{said:?}");
    scene.settings(&json!({"allow": ["later-hooks"]}));
    let said = scene.run(&bundle);
    assert!(said.code != 0 && said.out.is_empty() && said.err.contains("has a bottle already"), "{said:?}");
    scene.assert_nothing_left();
}

#[test]
fn a_container_whose_engine_calls_nobody_at_its_end_leaves_nothing_either() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    bundle.configuration["hooks"].as_object_mut().unwrap().remove("poststop");
    assert_eq!(scene.run(&bundle).ok(), "ran\n");
    scene.assert_nothing_left();
    scene.verified();
}

#[test]
fn a_hook_that_is_missing_starts_nothing() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    bundle.configuration["hooks"]["createRuntime"][0]["path"] = json!("/nowhere/bottle");
    let said = scene.run(&bundle);
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    scene.assert_nothing_left();
}
