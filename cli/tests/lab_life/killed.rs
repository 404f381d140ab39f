//! What is left when a process of a bottle is killed? Nothing, and what was allowed is cut.

use std::fs;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::process::Signal;

use crate::host;
use crate::remains::{Footprint, Host, assert_unheld, sockets_below};
use crate::running::{Held, Processes, Running};
use crate::world::{LIMIT, Said, World, said};

/// Kills one process of a connected bottle, and asserts that nothing remains; tells how `bottle run` ended.
fn kill(which: impl Fn(&Processes) -> &Held) -> (World, Running) {
    let world = World::alone();
    let before = Host::of(&world);
    let running = world.connected();
    let footprint = Footprint::of(&world, running.processes());
    which(footprint.processes()).signal(Signal::KILL);
    footprint.assert_gone();
    world.assert_cut();
    before.assert_unchanged(&world, "a bottle that was killed");
    assert_eq!(sockets_below(&world.path("")), [""; 0]);
    (world, running)
}

#[test]
fn a_killed_supervisor_leaves_nothing() {
    let (world, running) = kill(|processes| &processes.supervisor);
    running.bury();
    let said = world.verify_log();
    assert_ne!(said.code, 0, "a log without an end is not complete: {said:?}");
    // The next run takes the log up, says so in it, and finds nothing in its way.
    world.shell("true").ok();
    assert_eq!(world.entries_of("run.start").len(), 2);
}

/// Each helper ends when another has; the one that was killed is named.
fn assert_drifted(which: impl Fn(&Processes) -> &Held, what: &str) {
    let (world, running) = kill(which);
    let said: Said = running.end();
    assert_eq!(said.code, 137, "{said:?}");
    assert!(said.err.contains("no longer holds"), "{said:?}");
    let drift = &world.entries_of("drift")[0];
    assert_eq!(drift["what"], what, "{drift}");
    world.verify_log().ok();
}

#[test]
fn a_killed_gate_ends_the_run_and_leaves_nothing() {
    assert_drifted(|processes| &processes.gate, "gate");
}

#[test]
fn a_killed_dialler_ends_the_run_and_leaves_nothing() {
    assert_drifted(|processes| &processes.dialler, "dialler");
}

#[test]
fn a_killed_init_ends_the_run_and_leaves_nothing() {
    assert_drifted(|processes| &processes.init, "init");
}

#[test]
fn a_killed_workload_ends_the_run_as_its_own_signal_and_leaves_nothing() {
    let (world, running) = kill(|processes| &processes.workload);
    let said = running.end();
    assert_eq!((said.code, said.err.as_str()), (137, ""));
    assert!(world.entries_of("drift").is_empty());
    world.verify_log().ok();
}

#[test]
fn what_the_workload_left_running_ends_with_it() {
    let world = World::alone();
    let script = "(trap '' HUP TERM INT; setsid sleep 1000 & echo ready; wait) & cat; exit 3";
    let running = world.start(&["host", "--", "bash", "-c", script]).ready();
    let footprint = Footprint::of(&world, running.processes());
    let left: Vec<Held> = descendants(footprint.processes().workload.pid).into_iter().map(Held::new).collect();
    assert!(left.len() >= 2, "{left:?}");
    assert_eq!(running.finish().code, 3);
    assert!(left.iter().all(|process| process.ends_within(LIMIT)));
    footprint.assert_gone();
}

fn descendants(pid: u32) -> Vec<u32> {
    let children = host::children(pid);
    let below: Vec<u32> = children.iter().flat_map(|child| descendants(*child)).collect();
    [children, below].concat()
}

/// Kills `bottle run` at the moment when it makes this file, which is a moment of its start.
fn kill_when_made(name: &str) {
    let world = World::alone();
    let before = Host::of(&world);
    let watch = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
    watch.add_watch(&world.path(""), AddWatchFlags::IN_CREATE).unwrap();
    let running = world.start(&["host", "--", "sh", "-c", "echo > ran"]);
    let supervisor = Held::new(running.pid());
    loop {
        let made = watch.read_events().unwrap();
        let of = |event: &nix::sys::inotify::InotifyEvent| {
            event.name.as_ref().is_some_and(|made| made.to_string_lossy().starts_with(name))
        };
        if made.iter().any(of) {
            break;
        }
    }
    supervisor.signal(Signal::STOP);
    let helpers: Vec<Held> = descendants(supervisor.pid).into_iter().filter_map(Held::find).collect();
    let hosts = host::links(&format!("/proc/{}/ns", world.lab.pid()));
    let namespaces = helpers.iter().flat_map(|helper| host::links(&format!("/proc/{}/ns", helper.pid)));
    let namespaces = namespaces.filter(|name| !hosts.contains(name)).collect();
    supervisor.signal(Signal::KILL);
    running.bury();
    assert!(helpers.iter().all(|helper| helper.ends_within(LIMIT)));
    assert_unheld(&namespaces);
    // The signal comes when it comes: whatever ran by then ran behind what was signed and put on record.
    assert!(!world.project("ran").exists() || world.attestation().exists());
    before.assert_unchanged(&world, "a bottle that was killed");
    assert_no_other_attestation(&world);
    // Whatever it left on the disk is in nobody's way.
    fs::remove_file(world.attestation()).unwrap_or_default();
    world.shell("true").ok();
}

/// A signed statement is under its own name, and then its run was opened in the log, or nowhere.
fn assert_no_other_attestation(world: &World) {
    let names = fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let signed: Vec<String> = names.filter(|name| name.starts_with("attestation")).collect();
    let opened = world.attestation().exists().then(|| world.entries_of("run.start").len());
    assert!(signed.is_empty() || (signed == ["attestation.json"] && opened == Some(1)), "{signed:?} {opened:?}");
}

#[test]
fn a_supervisor_that_is_killed_as_it_opens_its_log_leaves_nothing() {
    kill_when_made("audit.jsonl");
}

#[test]
fn a_supervisor_that_is_killed_as_it_signs_leaves_nothing() {
    kill_when_made("attestation.json");
}

#[test]
fn what_is_left_mounted_or_unmounted_is_seen_and_no_directory_that_somebody_else_removed() {
    let world = World::alone();
    let mounted = |name: &str| {
        let directory = world.path(name);
        fs::create_dir(&directory).unwrap();
        said(world.privileged("mount").args(["-t", "tmpfs", "lab"]).arg(&directory)).ok();
        directory
    };
    let (removed, unmounted) = (mounted("removed"), mounted("unmounted"));
    let before = Host::of(&world);
    // Where this test lives nothing is mounted there, so that it can.
    fs::remove_dir(&removed).unwrap();
    assert_eq!(before.changes(&world), [""; 0]);
    said(world.privileged("umount").arg(&unmounted)).ok();
    mounted("new");
    let changes = before.changes(&world);
    let told = |how: &str, name: &str| changes.iter().any(|change| change.starts_with(how) && change.contains(name));
    assert!(changes.len() == 2 && told("unmounted", "/unmounted ") && told("mounted", "/new "), "{changes:?}");
}
