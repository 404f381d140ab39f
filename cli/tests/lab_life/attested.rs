//! Does the attestation come before the workload, and no workload without it?

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use bottle_evidence::sha256;
use rustix::process::Signal;

use crate::host;
use crate::running::{Held, Running};
use crate::world::{Said, World, said, text};

#[test]
fn the_attestation_verifies_and_the_log_names_it() {
    let world = World::new();
    said(&mut world.run(&["--allow", "web.lab.example", "host", "--", "true"])).ok();
    let attestation = text(&world.attestation()).to_owned();
    let key = text(&world.path("state/data/keys/bottle.pub")).to_owned();
    let verify =
        |arguments: &[&str]| said(world.bottle(&["attest", "verify", &attestation, "--key", &key]).args(arguments));
    verify(&["--mode", "enforce", "--allow", "web.lab.example"]).ok();
    assert_eq!(verify(&["--allow", "other.lab.example"]).code, 20);
    assert_eq!(verify(&["--mode", "observe"]).code, 19);
    let start = &world.entries_of("run.start")[0];
    let digest = sha256(&fs::read(world.attestation()).unwrap());
    assert_eq!(start["attestation"], serde_json::to_value(digest).unwrap());
    let log = world.audit();
    let verify = ["audit", "verify", text(&log), "--key", &key, "--attestation", &attestation];
    said(&mut world.bottle(&verify)).ok();
}

#[test]
fn a_nonce_that_a_verifier_gave_is_in_the_attestation_and_no_other_is_accepted() {
    let world = World::new();
    let [nonce, other] = ["0a", "0b"].map(|byte| byte.repeat(32));
    said(&mut world.run(&["--nonce", &nonce, "host", "--", "true"])).ok();
    let attestation = world.attestation();
    let verify = |nonce: &str| said(&mut world.bottle(&["attest", "verify", text(&attestation), "--nonce", nonce]));
    verify(&nonce).ok();
    assert_ne!(verify(&other).code, 0);
}

#[test]
fn two_runs_of_one_image_in_one_place_have_the_same_digest_of_it_and_another_image_has_not() {
    let world = World::new();
    std::fs::create_dir(world.path("volume")).unwrap();
    let image = |options: &[&str]| {
        said(&mut world.run(&[options, &["host", "--", "true"]].concat())).ok();
        let attestation = world.attestation();
        let verified = said(&mut world.bottle(&["attest", "verify", "--json", text(&attestation)])).ok().to_owned();
        serde_json::from_str::<serde_json::Value>(&verified).unwrap()["attestation"]["subjects"]["image"].take()
    };
    let first = image(&[]);
    assert!(first.is_string(), "{first}");
    assert_eq!(image(&["-e", "A=1"]), first);
    assert_ne!(image(&["-v", &format!("{}:/volume", world.path("volume").display())]), first);
}

#[test]
fn an_attestation_with_one_changed_byte_does_not_verify() {
    let world = World::new();
    world.shell("true").ok();
    let mut bytes = fs::read(world.attestation()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
    fs::write(world.attestation(), bytes).unwrap();
    assert_ne!(said(&mut world.bottle(&["attest", "verify", text(&world.attestation())])).code, 0);
}

#[test]
fn the_log_names_the_very_process_that_runs() {
    let world = World::new();
    let running = world.start(&["host", "--", "sh", "-c", "echo ready; cat"]).ready();
    let workload = running.processes().workload.pid;
    let stat = fs::read_to_string(format!("/proc/{workload}/stat")).unwrap();
    let start: u64 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
    let entry = &world.entries_of("run.start")[0]["workload"];
    assert_eq!((entry["pid"].as_u64(), entry["start"].as_u64()), (Some(workload.into()), Some(start)));
    running.finish().ok();
}

/// Runs a workload that would make a file, and asserts that it did not come to that.
fn assert_never_ran(world: &World, arguments: &[&str]) -> Said {
    let mut command = world.bottle(&["run"]);
    command.args(arguments).args(["host", "--", "sh", "-c", "echo > ran; echo ran"]);
    let said = said(&mut command);
    said.refused();
    assert_eq!(said.out, "");
    assert!(!world.project("ran").exists(), "{said:?}");
    said
}

/// A file system of the lab's host with this many pages, mounted beside the project.
fn small_disk(world: &World, name: &str, options: &str) {
    let place = world.path(name);
    fs::create_dir(&place).unwrap();
    let owner = rustix::process::geteuid().as_raw();
    let options = format!("{options},mode=700,uid={owner}");
    said(world.privileged("mount").args(["-t", "tmpfs", "-o", &options, "disk"]).arg(&place)).ok();
}

/// A program's word on a file of the lab's host, where alone such a disk is mounted.
fn said_of(world: &World, program: &str, file: &str) -> Said {
    let mut words = program.split(' ');
    said(world.program(words.next().unwrap()).args(words).arg(world.path(file)))
}

#[test]
fn nothing_runs_where_the_attestation_cannot_be_written() {
    let world = World::new();
    let missing = world.path("missing/attestation.json");
    let said = assert_never_ran(&world, &["--attestation", text(&missing)]);
    assert!(said.err.contains("cannot write the attestation") && said.err.contains("hint: "), "{said:?}");
    small_disk(&world, "closed", "size=1m,ro");
    let said = assert_never_ran(&world, &["--attestation", text(&world.path("closed/attestation.json"))]);
    assert!(said.err.contains("Read-only file system"), "{said:?}");
}

#[test]
fn what_is_mounted_by_a_name_that_is_no_text_keeps_nothing_from_running() {
    let world = World::new();
    let place = world.path("project").join(OsStr::from_bytes(b"M\xfcller"));
    fs::create_dir(&place).unwrap();
    said(world.privileged("mount").args(["-t", "tmpfs", "lab"]).arg(&place)).ok();
    said(&mut world.run(&["host", "--", "sh", "-c", "ls -d M*/"])).ok();
    said(&mut world.run(&["host", "--", "true"])).ok();
}

#[test]
fn a_run_that_was_opened_and_never_started_has_an_end_that_says_why() {
    let world = World::new();
    let busy = world.path("busy");
    fs::write(&busy, "").unwrap();
    said(world.privileged("mount").arg("--bind").args([&busy, &busy])).ok();
    // Nothing can replace what something is mounted on, which shows only when the log already names the attestation.
    let log = world.audit();
    let said = assert_never_ran(&world, &["--audit", text(&log), "--attestation", text(&busy)]);
    assert!(said.err.contains("cannot write the attestation"), "{said:?}");
    let ends = world.entries_of("run.end");
    assert_eq!((world.entries_of("run.start").len(), ends.len()), (1, 1));
    assert_eq!(ends[0]["exit"], 125);
    assert!(ends[0]["reason"].as_str().unwrap().starts_with("cannot write the attestation"), "{ends:?}");
    world.verify_log().ok();
}

#[test]
fn nothing_runs_where_the_disk_has_no_room_for_the_attestation() {
    let world = World::new();
    small_disk(&world, "full", "size=4k");
    let said = assert_never_ran(&world, &["--attestation", text(&world.path("full/attestation.json"))]);
    assert!(said.err.contains("No space left on device") && said.err.contains("make room"), "{said:?}");
    assert_eq!(said_of(&world, "ls", "full").ok(), "", "half an attestation is left");
}

#[test]
fn nothing_runs_where_the_log_cannot_be_opened() {
    let world = World::new();
    small_disk(&world, "closed", "size=1m,ro");
    fs::write(world.path("notes"), "precious\n").unwrap();
    fs::create_dir(world.path("directory")).unwrap();
    for place in ["missing/a.jsonl", "closed/a.jsonl", "notes", "directory"] {
        let said = assert_never_ran(&world, &["--audit", text(&world.path(place))]);
        assert!(said.err.contains("hint: "), "{place}: {said:?}");
    }
    assert_eq!(fs::read_to_string(world.path("notes")).unwrap(), "precious\n");
}

#[test]
fn nothing_runs_where_the_disk_has_no_room_for_the_log() {
    let world = World::new();
    small_disk(&world, "full", "size=4k");
    said_of(&world, "fallocate --length 4096", "full/filler").ok();
    let said = assert_never_ran(&world, &["--audit", text(&world.path("full/a.jsonl"))]);
    assert!(said.err.contains("No space left on device"), "{said:?}");
}

#[test]
fn nothing_runs_while_another_run_writes_the_log() {
    let world = World::new();
    let running = world.start(&["host", "--", "sh", "-c", "echo ready; cat"]).ready();
    let said = assert_never_ran(&world, &["--audit", text(&world.audit())]);
    assert!(said.err.contains("another run writes"), "{said:?}");
    running.finish().ok();
    assert_eq!(world.verify_log().code, 0);
}

/// The namespaces of a kind that a process has descriptors of, by path.
fn namespaces(descriptors: &str, kind: &str) -> Vec<String> {
    let links = fs::read_dir(descriptors).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = links
        .filter(|path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with(&format!("{kind}:["))))
        .collect();
    found.sort_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u32>().unwrap());
    found.into_iter().map(|path| path.display().to_string()).collect()
}

/// With power over the host.
fn as_host(world: &World, _descriptors: &str) -> Command {
    world.privileged("nsenter")
}

/// As nobody but the bottle's owner.
fn as_owner(world: &World, descriptors: &str) -> Command {
    let mut enter = world.program("nsenter");
    if let Some(user) = namespaces(descriptors, "user").first() {
        enter.arg("--preserve-credentials").arg(format!("--user={user}"));
    }
    enter
}

/// Stops a bottle in the middle of its start, when its namespaces are there and nothing is proven, to meddle with them.
fn meddle(
    world: &World,
    enter: fn(&World, &str) -> Command,
    arguments: &[&str],
    side: usize,
) -> (Said, Option<std::process::Child>) {
    let running = Running::start(world.run(&["host", "--", "sh", "-c", "echo > ran"]));
    let supervisor = Held::new(running.pid());
    let descriptors = format!("/proc/{}/fd", supervisor.pid);
    while namespaces(&descriptors, "net").len() < 2 {
        assert!(!supervisor.ends_within(std::time::Duration::from_millis(1)), "{:?}", running.end());
    }
    supervisor.signal(Signal::STOP);
    while host::status(supervisor.pid, "State").is_some_and(|state| !state.starts_with('T')) {
        std::thread::yield_now();
    }
    let mut enter = enter(world, &descriptors);
    enter.arg(format!("--net={}", namespaces(&descriptors, "net")[side])).args(arguments);
    let mut intruder = enter.stdout(std::process::Stdio::piped()).spawn().unwrap();
    // A program that stays says so by a line; one that ends, by its end.
    let mut first = [0];
    let stays = std::io::Read::read(intruder.stdout.as_mut().unwrap(), &mut first).unwrap() == 1;
    if !stays {
        assert!(intruder.wait().unwrap().success());
    }
    supervisor.signal(Signal::CONT);
    let said = running.end();
    assert!(!world.project("ran").exists(), "{said:?}");
    (said, stays.then_some(intruder))
}

#[test]
fn nothing_runs_when_the_rules_change_while_they_are_measured() {
    for side in [0, 1] {
        let world = World::new();
        let (said, _) = meddle(&world, as_host, &["nft", "add", "table", "inet", "intruder"], side);
        assert!(said.refused().contains("hint: something on this host changes namespaces"), "{said:?}");
        assert!(world.entries_of("run.start").is_empty());
    }
}

#[test]
fn nothing_runs_when_an_address_comes_while_the_airlock_is_measured() {
    let world = World::new();
    let (said, _) = meddle(&world, as_host, &["ip", "address", "add", "10.9.9.9/32", "dev", "lo"], 0);
    said.refused();
}

#[test]
fn nothing_runs_beside_a_stranger_in_the_namespace() {
    // The other's name is no UTF-8.
    let nameless = r#"n=$(printf '\377'); ln -sf "$(command -v sleep)" "./$n"; echo; exec "./$n" 1000"#;
    for script in ["echo; exec sleep 1000", nameless] {
        let world = World::new();
        let (said, stranger) = meddle(&world, as_owner, &["sh", "-c", script], 0);
        let mut stranger = stranger.unwrap();
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert!(said.refused().contains("is not alone in its namespace"), "{script}: {said:?}");
    }
}
