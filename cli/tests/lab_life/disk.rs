//! What happens when the disk of the log is full? What can't be recorded is denied, and the next run takes the log up.

use std::fs;
use std::path::Path;

use crate::world::{Said, World, said, text};

/// A disk of this many KiB on the lab's host, with a file that fills all but a little of it.
fn small_disk(world: &World) {
    fs::create_dir(world.path("disk")).unwrap();
    let owner = rustix::process::geteuid().as_raw();
    let options = format!("size=16k,mode=700,uid={owner}");
    let mut mount = world.privileged("mount");
    said(mount.args(["-t", "tmpfs", "-o", &options, "disk"]).arg(world.path("disk"))).ok();
}

fn verify(world: &World, log: &Path) -> Said {
    said(&mut world.bottle(&["audit", "verify", text(log)]))
}

#[test]
fn a_full_disk_denies_what_was_allowed_and_the_next_run_takes_the_log_up() {
    let world = World::new();
    small_disk(&world);
    let log = world.path("disk/audit.jsonl");
    // One line for each connection, until one that is allowed is refused.
    let script = "for i in $(seq 200); do exec 3<>/dev/tcp/web.lab.example/7; echo $i >&3; \
                  read -r line <&3 || { echo denied; break; }; exec 3>&-; done 2>/dev/null; \
                  exec 3<>/dev/tcp/web.lab.example/7; echo again >&3; read -r line <&3 && echo reached";
    let allow = ["--allow", "tcp://web.lab.example:7"];
    let run = |script: &str| {
        let mut command = world.bottle(&["run", "--audit", text(&log)]);
        command.args(allow).args(["host", "--", "bash", "-c", script]);
        said(&mut command)
    };
    let full = run(script);
    assert!(full.out.contains("denied") && !full.out.contains("reached"), "{full:?}");
    let told = full.err.matches("the audit log cannot be written, so everything is denied from now on").count();
    assert_eq!(told, 1, "{full:?}");
    assert_eq!(full.code, 125, "a run without an end in its log has failed: {full:?}");
    assert!(full.err.contains("the command ran and ended with 1, but"), "{full:?}");
    // Every connection that arrived is in the log.
    let arrived = world.lab.received("echo").unwrap().len();
    let text = said(world.program("cat").arg(&log)).ok().to_owned();
    let allowed = text.lines().filter(|line| line.contains("\"decision\":\"allow\"")).count();
    assert!(arrived > 0 && arrived <= allowed, "{arrived} arrived, {allowed} are recorded");
    assert_ne!(verify(&world, &log).code, 0, "a log without an end is not complete");
    let mut grow = world.privileged("mount");
    said(grow.args(["-o", "remount,size=1m"]).arg(world.path("disk"))).ok();
    run("exec 3<>/dev/tcp/web.lab.example/7; echo x >&3; read -r line <&3").ok();
    let text = said(world.program("cat").arg(&log)).ok().to_owned();
    assert_eq!(text.matches("\"kind\":\"run.start\"").count(), 2);
    assert_eq!(text.matches("\"kind\":\"run.end\"").count(), 1);
    assert_eq!(text.matches("\"kind\":\"torn\"").count(), 1, "{text}");
}

#[test]
fn a_log_that_may_not_grow_any_more_denies_too_and_does_not_kill_the_watcher() {
    let world = World::new();
    let script = "for i in $(seq 200); do exec 3<>/dev/tcp/web.lab.example/7; echo $i >&3; \
                  read -r line <&3 || { echo denied; break; }; exec 3>&-; done 2>/dev/null";
    let mut command = world.program("prlimit");
    command.args(["--fsize=65536", crate::world::BOTTLE, "run", "--audit", text(&world.audit())]);
    let limited = said(command.args(["--allow", "tcp://web.lab.example:7", "host", "--", "bash", "-c", script]));
    assert!(limited.out.contains("denied"), "{limited:?}");
    assert!(limited.err.contains("the audit log cannot be written"), "{limited:?}");
    assert_eq!(limited.code, 125, "{limited:?}");
}

#[test]
fn half_a_line_at_the_end_of_a_log_is_cut_and_told() {
    let world = World::new();
    world.shell("true").ok();
    let whole = fs::read_to_string(world.audit()).unwrap();
    fs::write(world.audit(), format!("{whole}{{\"kind\":\"deci")).unwrap();
    world.shell("true").ok();
    let text = fs::read_to_string(world.audit()).unwrap();
    assert!(text.starts_with(&whole), "what was whole is kept");
    assert_eq!(world.entries_of("torn").len(), 1);
    assert_eq!(world.entries_of("run.end").len(), 2);
}

#[test]
fn a_log_that_was_changed_is_never_continued() {
    let world = World::new();
    world.shell("true").ok();
    let whole = fs::read_to_string(world.audit()).unwrap();
    fs::write(world.audit(), whole.replacen("\"true\"", "\"fals\"", 1)).unwrap();
    let said = world.shell("echo > ran");
    assert!(said.refused().contains("can't be continued"), "{said:?}");
    assert!(!world.project("ran").exists());
}
