//! Does a command get no more than its limits give, and is it said when it wanted more? Nothing runs where a limit can't be set.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::host;
use crate::world::{LIMIT, Said, World, said, text};

/// Takes 200 MiB and touches them.
const HOG: &str = "b = bytearray(200 << 20)";
/// Forks until it may not, and says how often it could.
const FORKS: &str = "import os, signal\nn = 0\ntry:\n  while True:\n    if os.fork() == 0: signal.pause()\n    n += 1\n\
                     except BlockingIOError: print(n)";

/// Runs with limits that take control groups. An ordinary user of a machine that delegates none is refused, and nothing of it runs.
fn limited(world: &World, options: &[&str], command: &[&str]) -> Option<Said> {
    let said = said(&mut world.run(&[options, &["host", "--"], command].concat()));
    assert_eq!(groups(world), BTreeSet::new(), "{said:?}");
    if host::is_root() {
        return Some(said);
    }
    assert!(said.refused().contains("no control group can be made in") && said.err.contains("hint: "), "{said:?}");
    assert_eq!(world.entries_of("run.start").len(), 0);
    None
}

/// The groups of all runs in this world's log, and of none where it has none.
fn groups(world: &World) -> BTreeSet<PathBuf> {
    let runs = world.entries_of("run.start");
    let names: Vec<String> = runs.iter().map(|start| format!("bottle-{}", start["run"].as_str().unwrap())).collect();
    let is_ours = |path: &Path| names.iter().any(|name| path.ends_with(name));
    directories(Path::new("/sys/fs/cgroup")).into_iter().filter(|path| is_ours(path)).collect()
}

fn directories(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(directories(&entry.path()));
            found.push(entry.path());
        }
    }
    found
}

fn attested(world: &World) -> Value {
    let shown = said(&mut world.bottle(&["attest", "show", "--json", text(&world.attestation())]));
    let mut shown: Value = serde_json::from_str(shown.ok()).unwrap();
    shown["predicate"]["facts"]["workload.limits"].take()
}

/// What one file of a group says, whatever its directory.
fn says<'a>(fact: &'a Value, file: &str) -> Option<&'a str> {
    let files = fact["value"].as_object()?;
    files.iter().find(|(path, _)| path.ends_with(file)).and_then(|(_, said)| said.as_str())
}

#[test]
fn a_command_that_takes_more_memory_is_killed_and_that_is_said() {
    let world = World::new();
    let Some(said) = limited(&world, &["--memory", "64m"], &["python3", "-c", HOG]) else { return };
    assert_eq!(said.code, 137, "{said:?}");
    let why = "out of memory: the kernel killed a process at the limit of 64 MiB that --memory gives";
    assert_eq!(said.err, format!("bottle: {why}\n"));
    assert_eq!(world.entries_of("run.end")[0]["reason"], why);
    world.verify_log().ok();
}

#[test]
fn a_child_that_takes_more_memory_is_killed_alone_and_that_is_said() {
    let world = World::new();
    let script = format!("python3 -c '{HOG}'; echo $?");
    let Some(said) = limited(&world, &["-m", "64m"], &["sh", "-c", &script]) else { return };
    assert_eq!((said.code, said.out.as_str()), (0, "137\n"), "{said:?}");
    assert!(said.err.contains("out of memory"), "{said:?}");
    assert!(world.entries_of("run.end")[0]["reason"].as_str().unwrap().contains("out of memory"));
}

#[test]
fn of_many_small_processes_it_is_one_of_the_commands_that_is_killed() {
    let world = World::new();
    let script = "for it in $(seq 600); do sleep 1000 & done; echo ready";
    let Some(said) = limited(&world, &["--memory", "32m"], &["bash", "-c", script]) else { return };
    assert!(said.err.contains("out of memory") && !said.err.contains("no longer holds"), "{said:?}");
    assert_eq!(world.entries_of("drift").len(), 0);
}

#[test]
fn a_command_within_its_limits_is_told_nothing() {
    let world = World::new();
    let options = ["--memory", "256m", "--cpus", "1", "--pids-limit", "50"];
    let Some(said) = limited(&world, &options, &["python3", "-c", HOG]) else { return };
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(world.entries_of("run.end")[0]["reason"], Value::Null);
}

#[test]
fn a_command_has_as_many_processes_as_it_is_given() {
    let world = World::new();
    let Some(said) = limited(&world, &["--pids-limit", "5"], &["python3", "-c", FORKS]) else { return };
    assert_eq!((said.code, said.out.as_str()), (0, "4\n"), "{said:?}");
    let why = "out of processes: the kernel refused to make another one once at the limit of 5 that --pids-limit gives";
    assert_eq!(world.entries_of("run.end")[0]["reason"], why);
    let alone = limited(&world, &["--pids-limit", "1"], &["sh", "-c", "echo alone"]).unwrap();
    assert_eq!((alone.code, alone.out.as_str()), (0, "alone\n"), "{alone:?}");
}

#[test]
fn a_command_has_as_much_processor_time_as_it_is_given() {
    let world = World::new();
    let spin = "import time\nwall = time.monotonic()\nwhile time.process_time() < 0.3: pass\n\
                print(time.monotonic() - wall)";
    let Some(said) = limited(&world, &["--cpus", "0.1"], &["python3", "-c", spin]) else { return };
    // 0.3 s, of which what the start of python had used already, at a tenth of a processor.
    assert!(said.ok().trim().parse::<f64>().unwrap() > 1.0, "{said:?}");
}

#[test]
fn the_attestation_has_what_the_kernel_says_of_each_limit() {
    let world = World::new();
    let options = ["--memory", "64m", "--cpus", "0.5", "--pids-limit", "20", "--ulimit", "nofile=64:128"];
    let Some(said) = limited(&world, &options, &["true"]) else { return };
    said.ok();
    let fact = attested(&world);
    assert_eq!(fact["basis"], "measured", "{fact:#}");
    assert_eq!(says(&fact, "nofile"), Some("64:128"), "{fact:#}");
    assert_eq!(says(&fact, "/pids.max"), Some("21"), "{fact:#}");
    // One of them, as the machine's version is.
    let one = |files: [&str; 2]| files.iter().find_map(|file| says(&fact, file)).map(str::to_owned);
    assert_eq!(one(["/memory.limit_in_bytes", "/memory.max"]).as_deref(), Some("67108864"), "{fact:#}");
    assert!(one(["/cpu.cfs_quota_us", "/cpu.max"]).is_some_and(|said| said.starts_with("50000")), "{fact:#}");
}

#[test]
fn without_a_limit_no_group_is_made_and_none_is_attested() {
    let world = World::new();
    let running = world.start(&["host", "--", "sh", "-c", "echo ready; cat"]).ready();
    assert_eq!(groups(&world), BTreeSet::new());
    running.finish().ok();
    assert_eq!(attested(&world), Value::Null);
    assert!(!world.path("state/run/groups").exists());
}

#[test]
fn gate_dialler_and_supervisor_are_not_in_the_groups() {
    let world = World::new();
    if !host::is_root() {
        return drop(limited(&world, &["--pids-limit", "9"], &["true"]));
    }
    let running = world.start(&["--pids-limit", "9", "host", "--", "sh", "-c", "echo ready; cat"]).ready();
    let processes = running.processes();
    let is_in = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap().contains("/bottle-");
    let inside = [&processes.init, &processes.workload].map(|held| is_in(held.pid));
    let outside = [&processes.supervisor, &processes.gate, &processes.dialler].map(|held| is_in(held.pid));
    assert_eq!((inside, outside), ([true; 2], [false; 3]));
    running.finish().ok();
    assert_eq!(groups(&world), BTreeSet::new());
}

#[test]
fn groups_that_a_killed_run_left_are_removed_by_the_next_one_which_says_so() {
    let world = World::alone();
    if !host::is_root() {
        return drop(limited(&world, &["--memory", "64m"], &["true"]));
    }
    let running = world.start(&["--memory", "64m", "host", "--", "sh", "-c", "echo ready; cat"]).ready();
    let processes = running.processes();
    assert_eq!(groups(&world).len(), 1);
    processes.supervisor.signal(Signal::KILL);
    assert!(processes.all().iter().all(|held| held.ends_within(LIMIT)));
    running.bury();
    let next = world.shell("true");
    assert_eq!((next.code, groups(&world)), (0, BTreeSet::new()), "{next:?}");
    assert_eq!(next.err, "bottle: warning: removed the control groups that a killed run had left\n");
    assert_eq!(fs::read_dir(world.path("state/run/groups")).unwrap().count(), 0);
    assert_eq!(world.shell("true").err, "");
}

#[test]
fn where_groups_are_read_only_nothing_runs_and_the_hint_says_so() {
    let world = World::new();
    let mut command = world.privileged("unshare");
    let script = "for it in /sys/fs/cgroup/*; do mount -o remount,bind,ro $it || exit 9; done; exec \"$@\"";
    command.args(["-m", "sh", "-c", script, "sh", crate::world::BOTTLE, "run", "--audit"]).arg(world.audit());
    command.args(["--pids-limit", "9", "host", "--", "touch", "ran"]);
    let said = said(&mut command);
    if !host::is_root() {
        // What a user namespace may not change of others' mounts, it can't make read-only either.
        assert!([9, 125].contains(&said.code), "{said:?}");
        return;
    }
    assert!(said.refused().contains("control groups are read-only here"), "{said:?}");
    assert!(!world.project("ran").exists());
}

#[test]
fn what_is_no_amount_is_misuse() {
    let world = World::new();
    for option in ["--memory=5m", "--memory=lots", "--cpus=0", "--pids-limit=-2", "--ulimit=core=9", "--ulimit=nofile"]
    {
        let said = said(&mut world.run(&[option, "host", "--", "true"]));
        assert!(said.code == 125 && !said.err.is_empty(), "{option}: {said:?}");
    }
}

#[test]
fn each_process_has_the_limits_that_are_asked_for() {
    let world = World::new();
    let options = ["--ulimit", "nofile=64:128", "--ulimit", "fsize=4096", "--ulimit", "stack=1048576"];
    let script = "ulimit -Sn; ulimit -Hn; ulimit -s; head -c 5000 /dev/zero > big; wc -c < big";
    let said = said(&mut world.run(&[&options[..], &["host", "--", "bash", "-c", script]].concat()));
    assert_eq!((said.ok(), said.err.contains("ulimit")), ("64\n128\n1024\n4096\n", false), "{said:?}");
    assert_eq!(says(&attested(&world), "fsize"), Some("4096:4096"));
}

#[test]
fn a_limit_beyond_the_hosts_is_what_the_host_allows_and_that_is_said() {
    let world = World::new();
    let mut command = world.program("prlimit");
    command.args(["--nproc=900:900", "--nofile=2000:4000", crate::world::BOTTLE, "run", "--audit"]).arg(world.audit());
    command.args(["--ulimit", "nofile=3000:9000", "host", "--", "bash", "-c", "ulimit -Sn; ulimit -Hn"]);
    let said = said(&mut command);
    let may_raise = host::is_root() && {
        let effective = u64::from_str_radix(&host::status(std::process::id(), "CapEff").unwrap(), 16).unwrap();
        effective & (1 << 24) != 0
    };
    if may_raise {
        assert_eq!(said.ok(), "3000\n9000\n");
    } else {
        assert_eq!(said.ok(), "3000\n4000\n");
        assert!(said.err.contains("is 4000, so it is nofile=3000:4000 inside"), "{said:?}");
    }
}

#[test]
fn a_start_without_enough_memory_says_so_and_leaves_nothing() {
    let world = World::new();
    let Some(said) = limited(&world, &["--memory", "6m"], &["true"]) else { return };
    // A release build may do with it.
    assert!(said.code == 0 || said.refused().contains("--memory"), "{said:?}");
}
