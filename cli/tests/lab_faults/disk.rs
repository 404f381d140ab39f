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
