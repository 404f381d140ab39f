//! What does a disk do to a run that is full, read-only, broken or slow under the log? What can't be recorded is denied.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use crate::aftermath::Aftermath;
use crate::kernel::Kernel;
use crate::running::Held;
use crate::scene::Scene;
use crate::world::{ALLOW_ECHO, said, text};

/// Connects without end, and says how each connection went.
const CONNECTING: &str = "while :; do exec 3<>/dev/tcp/web.lab.example/7; echo token >&3; \
                          read -r line <&3 && echo served || { echo denied; sleep 0.1; }; done 2>/dev/null";

/// Connects until it is denied, and then once more.
const TO_THE_END: &str = "one() { exec 3<>/dev/tcp/web.lab.example/7; echo token >&3; read -r line <&3; }
while one; do :; done 2>/dev/null; echo denied; one 2>/dev/null && echo served";

fn assert_denied_for_good(said: &crate::world::Said, what: &str) {
    assert_eq!(said.code, 125, "{what}: {said:?}");
    let told = said.err.matches("the audit log cannot be written, so everything is denied from now on").count();
    assert_eq!(told, 1, "{what}: {said:?}");
}

#[test]
fn a_disk_that_fails_while_it_runs_denies_from_then_on_and_leaves_nothing() {
    let mut scene = Scene::new();
    // Read-only, full, over quota, broken.
    for errno in [libc::EROFS, libc::ENOSPC, libc::EDQUOT, libc::EIO] {
        let what = format!("fdatasync fails with {errno}");
        let kernel = Kernel::new(&scene.world);
        let mut running = kernel.start(&mut scene, &["host", "--", "bash", "-c", CONNECTING]);
        assert_eq!(running.line(), "served", "{what}");
        kernel.disk(&errno.to_string());
        while running.line() == "served" {}
        assert_eq!([running.line(), running.line()], ["denied", "denied"], "{what}");
        // One that would take again what it refused is not believed.
        kernel.disk("");
        assert_eq!([running.line(), running.line()], ["denied", "denied"], "{what}");
        running.signal(rustix::process::Signal::TERM);
        assert_denied_for_good(&running.end(), &what);
        kernel.gone();
        scene.assert_clean(&what);
    }
}

/// Full, over quota, broken.
const FAILURES: [i32; 3] = [libc::ENOSPC, libc::EDQUOT, libc::EIO];

#[test]
fn a_disk_that_fails_at_the_start_refuses_it_and_leaves_nothing() {
    let mut scene = Scene::new();
    type Call = (&'static str, fn(&Kernel, &str));
    let calls: [Call; 2] = [("fdatasync", Kernel::disk), ("fsync", Kernel::names)];
    for (errno, (call, fail)) in FAILURES.into_iter().flat_map(|errno| calls.map(|call| (errno, call))) {
        let what = format!("{call} fails with {errno} at the start");
        let kernel = Kernel::new(&scene.world);
        fail(&kernel, &errno.to_string());
        let said = kernel.start(&mut scene, &["host", "--", "sh", "-c", "echo > ran"]).end();
        let why = said.refused().contains("cannot write") || said.refused().contains("cannot be written");
        assert!(why && said.err.contains(&format!("os error {errno}")), "{what}: {said:?}");
        assert!(!scene.world.project("ran").exists(), "{what}");
        kernel.gone();
        scene.assert_clean(&what);
    }
}

#[test]
fn a_disk_that_takes_no_further_file_denies_from_then_on_and_leaves_nothing() {
    let mut scene = Scene::new();
    for errno in FAILURES {
        let what = format!("fsync fails with {errno} where a log goes on in another file");
        let kernel = Kernel::new(&scene.world);
        let mut running =
            kernel.start(&mut scene, &["--audit-max-size", "4KiB", "host", "--", "bash", "-c", CONNECTING]);
        assert_eq!(running.line(), "served", "{what}");
        kernel.names(&errno.to_string());
        while running.line() == "served" {}
        assert_eq!([running.line(), running.line()], ["denied", "denied"], "{what}");
        running.signal(rustix::process::Signal::TERM);
        assert_denied_for_good(&running.end(), &what);
        kernel.gone();
        scene.assert_clean(&what);
    }
}

#[test]
fn a_run_whose_end_the_disk_does_not_take_has_failed() {
    let mut scene = Scene::new();
    for errno in FAILURES {
        let what = format!("fdatasync fails with {errno} at the end");
        let kernel = Kernel::new(&scene.world);
        let mut running = kernel.start(&mut scene, &["-i", "host", "--", "sh", "-c", "echo up; read end"]);
        assert_eq!(running.line(), "up", "{what}");
        kernel.disk(&errno.to_string());
        running.write("\n");
        let said = running.finish();
        let told = ["the command ran and ended with 0, but", "cannot write the audit log"];
        assert!(said.code == 125 && told.iter().all(|told| said.err.contains(told)), "{what}: {said:?}");
        kernel.gone();
        scene.assert_clean(&what);
    }
}

/// A file system of these options on the lab's host, at this place.
fn mounted(scene: &mut Scene, name: &str, options: &str) {
    let (place, owner) = (scene.world.path(name), rustix::process::geteuid().as_raw());
    fs::create_dir_all(&place).unwrap();
    let options = format!("{options},mode=700,uid={owner}");
    said(scene.world.privileged("mount").args(["-t", "tmpfs", "-o", &options, "disk"]).arg(&place)).ok();
    scene.aftermath = Aftermath::before(&scene.world);
}

#[test]
fn a_full_disk_under_the_attestation_or_the_state_refuses_the_start_and_leaves_nothing() {
    let full = |scene: &mut Scene, words: &[&str], what: &str| {
        scene.begin();
        let audit = scene.audit();
        let mut run = scene.world.bottle(&["run", "--audit", text(&audit)]);
        let ended = said(run.args(words).args(["host", "--", "sh", "-c", "echo > ran"]));
        let (ran, is_named) = (scene.world.project("ran").exists(), ended.err.contains("No space left on device"));
        assert!(ended.code == 0 && ran || ended.code == 125 && is_named && !ran, "{what}: {ended:?}");
        scene.aftermath.assert_gone(what);
        ended.code
    };
    let mut scene = Scene::new();
    mounted(&mut scene, "disk", "size=4k");
    let attestation = scene.world.path("disk/attestation.json");
    assert_eq!(full(&mut scene, &["--attestation", text(&attestation)], "the attestation"), 125);
    scene.assert_clean("a full disk under the attestation");
    drop(scene);
    // Wherever it ends: at a directory, at the key, at what is kept of the run; the last has room for all.
    let mut codes = Vec::new();
    for inodes in (1..=31).step_by(3) {
        let mut scene = Scene::new();
        mounted(&mut scene, "state", &format!("nr_inodes={inodes}"));
        codes.push(full(&mut scene, &[], &format!("{inodes} files of state")));
    }
    assert!(
        codes.first() == Some(&125) && codes.last() == Some(&0) && codes.is_sorted_by(|one, next| one >= next),
        "{codes:?}"
    );
}

#[test]
fn a_log_on_an_overlay_is_written_rotated_and_gone_on_with() {
    let mut scene = Scene::new();
    mounted(&mut scene, "disk", "size=8m");
    let disk = scene.world.path("disk");
    let directories = ["lower", "upper", "work", "merged"].map(|name| disk.join(name));
    said(scene.world.program("mkdir").args(&directories)).ok();
    let run = |directory: usize| {
        let log = directories[directory].join("audit.jsonl");
        let mut run = scene.world.bottle(&["run", "--audit", text(&log), "--audit-max-size", "4KiB"]);
        let script = "for i in 1 2 3 4; do exec 3<>/dev/tcp/web.lab.example/7; echo $i >&3; read -r line <&3; done";
        said(run.args(ALLOW_ECHO).args(["host", "--", "bash", "-c", script])).ok().to_owned()
    };
    // What lies in the layer below is copied when it is gone on with.
    run(0);
    let [lower, upper, work, merged] = directories.each_ref().map(|path| text(path));
    let layers = format!("userxattr,lowerdir={lower},upperdir={upper},workdir={work}");
    said(scene.world.privileged("mount").args(["-t", "overlay", "-o", &layers, "overlay", merged])).ok();
    run(3);
    run(3);
    let log = directories[3].join("audit.jsonl");
    let verified = said(&mut scene.world.bottle(&["audit", "verify", text(&log)])).ok().to_owned();
    assert!(verified.contains("3 runs") && verified.contains("files"), "{verified}");
}

#[test]
fn a_slow_disk_delays_what_is_allowed_and_nothing_passes_before_it() {
    let what = "fdatasync stalls";
    let mut scene = Scene::new();
    let kernel = Kernel::new(&scene.world);
    let mut running = kernel.start(&mut scene, &["host", "--", "bash", "-c", CONNECTING]);
    assert_eq!(running.line(), "served");
    kernel.disk("stall");
    kernel.await_stall();
    let arrived = || scene.world.lab.received("echo").unwrap().len();
    let before = arrived();
    // Longer than anybody is patient with a helper that says nothing.
    assert!(!Held::new(running.pid()).ends_within(Duration::from_secs(5)), "{what}: it ended");
    assert!(arrived() <= before + 1, "{what}: connections are made that are on no disk");
    kernel.go_on();
    while arrived() < before + 3 {
        assert_eq!(running.line(), "served");
    }
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.end().code, 143);
    kernel.gone();
    scene.assert_clean(what);
}

#[test]
fn a_run_that_ends_while_the_disk_stalls_is_closed_when_it_goes_on() {
    let what = "fdatasync stalls at the end";
    let mut scene = Scene::new();
    let kernel = Kernel::new(&scene.world);
    let mut running = kernel.start(&mut scene, &["host", "--", "bash", "-c", CONNECTING]);
    assert_eq!(running.line(), "served");
    let workload = running.processes().workload;
    kernel.disk("stall");
    kernel.await_stall();
    running.signal(rustix::process::Signal::TERM);
    assert!(workload.ends_within(crate::world::LIMIT), "{what}: the workload waits for the disk");
    kernel.go_on();
    assert_eq!(running.end().code, 143);
    kernel.gone();
    scene.assert_clean(what);
}

/// A disk of its own on the lab's host; the log is looked at in a copy, since only the lab's host sees it.
fn on_a_disk(options: &str, prepare: impl Fn(&Scene), expect: impl Fn(&crate::world::Said), what: &str) {
    let mut scene = Scene::new();
    scene.begin();
    let (disk, owner) = (scene.world.path("disk"), rustix::process::geteuid().as_raw());
    fs::create_dir(&disk).unwrap();
    let options = format!("{options},mode=700,uid={owner}");
    said(scene.world.privileged("mount").args(["-t", "tmpfs", "-o", &options, "disk"]).arg(&disk)).ok();
    prepare(&scene);
    scene.aftermath = Aftermath::before(&scene.world);
    let log = disk.join("audit.jsonl");
    let mut run = scene.world.bottle(&["run", "--audit", text(&log)]);
    let ended = said(run.args(ALLOW_ECHO).args(["host", "--", "bash", "-c", &format!("echo > ran; {TO_THE_END}")]));
    expect(&ended);
    let written = scene.world.program("cat").arg(&log).output().unwrap().stdout;
    let mut copy = fs::File::options().write(true).create_new(true).mode(0o600).open(scene.audit()).unwrap();
    std::io::Write::write_all(&mut copy, &written).unwrap();
    scene.assert_clean(what);
}

#[test]
fn a_full_disk_denies_from_then_on_and_leaves_nothing() {
    let expect = |said: &crate::world::Said| {
        assert_eq!(said.out, "denied\n");
        assert_denied_for_good(said, "a full disk");
    };
    on_a_disk("size=32k", |_| (), expect, "a full disk");
}

#[test]
fn a_read_only_disk_refuses_the_start_and_leaves_nothing() {
    let read_only = |scene: &Scene| {
        let disk = scene.world.path("disk");
        said(scene.world.privileged("mount").args(["-o", "remount,ro"]).arg(disk)).ok();
    };
    let expect = |said: &crate::world::Said| assert!(said.refused().contains("cannot write the audit log"), "{said:?}");
    on_a_disk("size=1m", read_only, expect, "a read-only disk");
}
