//! Is everything that judges the workload out of its reach? Where it is not, nothing starts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::world::{BOTTLE, World, said, text};

const POLICY: &str = "version: 1\ndomains: []\n";

/// A run of something that would make a file, and the assertion that it did not.
fn assert_refused(world: &World, mut command: Command, what: &str) {
    command.args(["host", "--", "sh", "-c", "echo > ran"]);
    let said = said(&mut command);
    let complaint = said.refused();
    assert!(complaint.contains(what) && complaint.contains("which the workload can write"), "{complaint}");
    assert!(complaint.contains("hint: "), "{complaint}");
    assert!(!world.project("ran").exists());
}

fn run_with(world: &World, option: &str, path: &Path) -> Command {
    let mut command = world.bottle(&["run", option]);
    command.arg(path);
    command
}

#[test]
fn files_in_the_working_directory_are_refused() {
    let world = World::new();
    fs::write(world.project("policy.yaml"), POLICY).unwrap();
    said(&mut world.bottle(&["attest", "keygen", "--key", text(&world.path("own.key"))])).ok();
    fs::rename(world.path("own.key"), world.project("own.key")).unwrap();
    for (option, name, what) in [
        ("--policy", "policy.yaml", "the policy"),
        ("--audit", "audit.jsonl", "the audit log"),
        ("--audit", "deep/er/audit.jsonl", "the audit log"),
        ("--attestation", "attestation.json", "the attestation"),
        ("--key", "own.key", "the key"),
    ] {
        assert_refused(&world, run_with(&world, option, &world.project(name)), what);
    }
    // By a relative name too.
    assert_refused(&world, run_with(&world, "--audit", Path::new("a.jsonl")), "the audit log");
    assert!(!world.project("a.jsonl").exists());
}

#[test]
fn a_further_file_of_the_log_that_is_shared_by_itself_is_refused() {
    let world = World::new();
    let further = world.path("audit.jsonl.2");
    fs::write(&further, "").unwrap();
    let mut command = world.bottle(&["run", "-v", &format!("{}:/tmp/further", text(&further)), "--audit"]);
    command.arg(world.path("audit.jsonl"));
    assert_refused(&world, command, "the audit log");
    let small = said(&mut world.bottle(&["run", "--audit-max-size", "100", "host", "--", "true"]));
    let small = small.refused();
    assert!(small.contains("hint: give at least 4096 to --audit-max-size"), "{small}");
    let one = world.path("a.jsonl");
    let mut command = world.bottle(&["run", "--audit", text(&one), "--attestation"]);
    let one = said(command.arg(world.path("a.jsonl.7")).args(["host", "--", "true"]));
    let one = one.refused();
    assert!(one.contains("the attestation and the audit log are one file"), "{one}");
}

/// Whether it is there yet or not.
#[test]
fn settings_in_the_working_directory_that_a_preset_is_made_of_are_refused() {
    let world = World::new();
    fs::write(world.project("npmrc"), "").unwrap();
    for (preset, variable, name) in [
        ("npm", "npm_config_userconfig", "npmrc"),
        ("npm", "NPM_CONFIG_GLOBALCONFIG", "new"),
        ("pip", "PIP_CONFIG_FILE", "new"),
        ("cargo", "CARGO_HOME", "new"),
        ("apt", "APT_CONFIG", "new"),
    ] {
        let mut command = world.bottle(&["run", "--preset", preset]);
        command.env(variable, world.project(name));
        assert_refused(&world, command, text(&world.project(name)));
    }
}

#[test]
fn a_state_directory_in_the_working_directory_is_refused() {
    let world = World::new();
    let mut command = world.bottle(&["run"]);
    command.env("BOTTLE_ROOT", world.project("state"));
    assert_refused(&world, command, "/state/");
}

#[test]
fn a_bottle_that_the_workload_could_replace_is_refused() {
    let world = World::new();
    // By another process: while this one had it open for writing, one that a test forks meanwhile would have, too.
    said(world.program("cp").arg(BOTTLE).arg(world.project("bottle"))).ok();
    let mut command = world.program(text(&world.project("bottle")));
    command.arg("run");
    assert_refused(&world, command, "bottle's own executable");
}

#[test]
fn a_second_name_of_the_policy_in_the_working_directory_is_refused() {
    let world = World::new();
    fs::write(world.path("policy.yaml"), POLICY).unwrap();
    fs::create_dir(world.project("deep")).unwrap();
    fs::hard_link(world.path("policy.yaml"), world.project("deep/notes.txt")).unwrap();
    assert_refused(&world, run_with(&world, "--policy", &world.path("policy.yaml")), "the policy");
}

#[test]
fn a_symbolic_link_into_the_working_directory_is_refused() {
    let world = World::new();
    fs::write(world.project("policy.yaml"), POLICY).unwrap();
    symlink(world.project("policy.yaml"), world.path("link.yaml")).unwrap();
    assert_refused(&world, run_with(&world, "--policy", &world.path("link.yaml")), "the policy");
    symlink(world.project("not-there.jsonl"), world.path("dangling.jsonl")).unwrap();
    assert_refused(&world, run_with(&world, "--audit", &world.path("dangling.jsonl")), "the audit log");
    symlink(world.path("project"), world.path("elsewhere")).unwrap();
    assert_refused(&world, run_with(&world, "--audit", &world.path("elsewhere/a.jsonl")), "the audit log");
}

#[test]
fn a_symbolic_link_in_the_working_directory_is_refused_wherever_it_leads() {
    let world = World::new();
    fs::write(world.path("policy.yaml"), POLICY).unwrap();
    said(&mut world.bottle(&["attest", "keygen", "--key", text(&world.path("own.key"))])).ok();
    fs::create_dir_all(world.path("state")).unwrap();
    symlink("..", world.project("up")).unwrap();
    for name in ["policy.yaml", "own.key", "audit.jsonl", "attestation.json"] {
        symlink(Path::new("..").join(name), world.project(name)).unwrap();
    }
    for (option, name, what) in [
        ("--policy", "policy.yaml", "the policy"),
        ("--policy", "up/policy.yaml", "the policy"),
        ("--audit", "audit.jsonl", "the audit log"),
        ("--attestation", "attestation.json", "the attestation"),
        ("--key", "own.key", "the key"),
    ] {
        assert_refused(&world, run_with(&world, option, &world.project(name)), what);
    }
    let mut command = world.bottle(&["run"]);
    command.env("BOTTLE_ROOT", world.project("up/state"));
    assert_refused(&world, command, "up/state/");
    symlink(BOTTLE, world.project("bottle")).unwrap();
    let mut command = world.program(text(&world.project("bottle")));
    command.arg("run");
    assert_refused(&world, command, "bottle's own executable");
}

#[test]
fn an_attestation_replaces_what_a_link_leads_to_and_not_the_link() {
    let world = World::new();
    fs::create_dir(world.path("evidence")).unwrap();
    symlink("evidence/attestation.json", world.path("link.json")).unwrap();
    said(run_with(&world, "--attestation", &world.path("link.json")).args(["host", "--", "true"])).ok();
    assert!(world.path("link.json").is_symlink());
    assert!(world.path("evidence/attestation.json").is_file());
}

#[test]
fn another_mount_of_the_working_directory_is_refused() {
    let world = World::new();
    fs::create_dir(world.project("evidence")).unwrap();
    fs::create_dir(world.path("mounted")).unwrap();
    let mut mount = world.privileged("mount");
    said(mount.args(["--bind", text(&world.project("evidence")), text(&world.path("mounted"))])).ok();
    assert_refused(&world, run_with(&world, "--audit", &world.path("mounted/a.jsonl")), "the audit log");
}

#[test]
fn a_mount_within_the_working_directory_is_refused() {
    let world = World::new();
    fs::create_dir(world.path("evidence")).unwrap();
    fs::create_dir(world.project("mounted")).unwrap();
    let mut mount = world.privileged("mount");
    said(mount.args(["--bind", text(&world.path("evidence")), text(&world.project("mounted"))])).ok();
    assert_refused(&world, run_with(&world, "--audit", &world.path("evidence/a.jsonl")), "the audit log");
}

#[test]
fn files_in_a_writable_volume_are_refused_and_in_a_read_only_one_are_not() {
    let world = World::new();
    fs::create_dir(world.path("volume")).unwrap();
    fs::write(world.path("volume/policy.yaml"), POLICY).unwrap();
    let volume = format!("{}:/volume", world.path("volume").display());
    let run = |volume: &str| {
        let mut command = run_with(&world, "--policy", &world.path("volume/policy.yaml"));
        command.args(["-v", volume]);
        command
    };
    assert_refused(&world, run(&volume), "the policy");
    let read_only = format!("{volume}:ro");
    said(run(&read_only).args(["host", "--", "cat", "/volume/policy.yaml"])).ok();
}

#[test]
fn nothing_that_judges_can_be_seen_from_inside() {
    let world = World::new();
    fs::write(world.path("policy.yaml"), POLICY).unwrap();
    fs::set_permissions(world.path("policy.yaml"), PermissionsExt::from_mode(0o666)).unwrap();
    let parent = world.path("").display().to_string();
    let script =
        format!("ls -A {parent}; cat {parent}policy.yaml {parent}audit.jsonl {parent}state/data/keys/* 2>/dev/null");
    let policy = world.path("policy.yaml");
    let arguments = ["--policy", text(&policy), "host", "--", "sh", "-c", &format!("{script}; true")];
    assert_eq!(said(&mut world.run(&arguments)).ok(), "home\nproject\n");
}

/// Whoever is left behind comes to the nearest subreaper (prctl(2), 36).
#[test]
fn a_run_that_is_refused_leaves_no_process_behind() {
    let world = World::new();
    fs::write(world.project("policy.yaml"), POLICY).unwrap();
    // What is shared is looked through first: by then the builder has forked everybody.
    (0..30_000).for_each(|number| fs::write(world.project(&number.to_string()), "").unwrap());
    let reaper = "import ctypes, os, subprocess, sys\n\
                  ctypes.CDLL(None).prctl(36, 1)\n\
                  code = subprocess.run(sys.argv[1:]).returncode\n\
                  try: print('left', os.waitpid(-1, 0))\n\
                  except ChildProcessError: print('nobody left', code)";
    let mut command = world.program("python3");
    command
        .args(["-c", reaper, BOTTLE, "run", "--policy"])
        .arg(world.project("policy.yaml"))
        .args(["host", "--", "true"]);
    assert_eq!(said(&mut command).out, "nobody left 125\n");
}

/// Whoever can read the key can sign whatever they like, later and elsewhere.
#[test]
fn a_key_that_the_workload_could_only_read_is_refused_too() {
    let world = World::new();
    fs::create_dir(world.path("keys")).unwrap();
    let key = world.path("keys/own.key");
    said(&mut world.bottle(&["attest", "keygen", "--key", text(&key)])).ok();
    let volume = format!("{}:/shown:ro", text(&world.path("keys")));
    let refused = said(&mut world.run(&["--key", text(&key), "-v", &volume, "host", "--", "true"]));
    assert!(refused.refused().contains("which the workload can read\nhint: "), "{refused:?}");
    let image = format!("dir:{}", text(&world.path("keys")));
    let refused = said(&mut world.run(&["--key", text(&key), &image, "--", "true"]));
    assert!(refused.refused().contains("which the workload can read"), "{refused:?}");
}

#[test]
fn an_attestation_replaces_nothing_but_an_older_one() {
    let world = World::new();
    let fifo = world.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    fs::create_dir(world.path("directory")).unwrap();
    for path in [fifo.as_path(), Path::new("/dev/null"), &world.path("directory")] {
        let before = fs::symlink_metadata(path).unwrap().file_type();
        let said = said(world.bottle(&["run", "--attestation"]).arg(path).args(["host", "--", "true"]));
        assert!(said.refused().contains("is there already, and is none\nhint: "), "{said:?}");
        assert_eq!(fs::symlink_metadata(path).unwrap().file_type(), before);
    }
    world.shell("true").ok();
    world.shell("true").ok();
    let key = world.path("state/data/keys/bottle.key");
    let before = fs::read(&key).unwrap();
    let refused = said(world.bottle(&["run", "--attestation", text(&key)]).args(["host", "--", "true"]));
    assert!(refused.refused().contains("and is none\nhint: "), "{refused:?}");
    assert_eq!(fs::read(&key).unwrap(), before);
    let both = text(&world.path("both")).to_owned();
    let refused = said(&mut world.bottle(&["run", "--audit", &both, "--attestation", &both, "host", "--", "true"]));
    assert!(refused.refused().contains("are one file"), "{refused:?}");
}

/// A directory below /tmp may have been laid there by an earlier run that was given /tmp; where the key lies may not.
#[test]
fn what_is_remembered_of_bottles_own_program_lies_with_the_key() {
    let world = World::new();
    world.shell("true").ok();
    // Where the file system can be trusted it is beside the keys; in no case beside the locks.
    assert!(!world.path("state/run/program.json").exists());
}
