//! Has a run that was opened in the log an end there, whenever somebody interrupts it?

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::inotify::AddWatchFlags;
use rustix::process::Signal;

use crate::running::Held;
use crate::unread::until;
use crate::world::{Said, World};

/// As soon as the run is opened, before the workload was released or just then.
#[test]
fn a_signal_right_after_the_run_was_opened_is_heeded_and_the_run_closed() {
    for signal in [Signal::INT, Signal::HUP, Signal::TERM, Signal::INT, Signal::QUIT] {
        let world = World::new();
        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::File::create(world.audit()).unwrap().set_permissions(closed).unwrap();
        let mut command = world.run(&["host", "--", "sleep", "60"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let opened = || std::fs::read_to_string(world.audit()).unwrap().contains("\"kind\":\"run.start\"");
        until(&world.audit(), AddWatchFlags::IN_MODIFY, "the run is not opened in the log", opened);
        Held::new(child.id()).signal(signal);
        let said = Said::from(child.wait_with_output().unwrap());
        assert_eq!(said.code, 128 + signal.as_raw(), "{said:?}");
        assert_eq!(world.entries_of("run.end").len(), 1);
        world.verify_log().ok();
    }
}

/// A shell that alone is interrupted goes on to its next command.
#[test]
fn what_a_terminal_sends_ends_all_that_runs_in_the_foreground() {
    for (signal, code) in [(Signal::INT, 130), (Signal::HUP, 129)] {
        let world = World::new();
        let mut running = world.start(&["host", "--", "bash", "-c", "(echo ready; exec sleep 600); echo next"]);
        assert_eq!(running.line(), "ready");
        running.signal(signal);
        let said = running.end();
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{said:?}");
    }
}

#[test]
fn who_asks_three_times_is_heeded_against_the_command_and_the_run_is_closed() {
    let world = World::new();
    let script = "trap 'echo asked' INT TERM HUP; echo ready; while :; do sleep 0.05; done";
    let mut running = world.start(&["host", "--", "bash", "-c", script]);
    assert_eq!(running.line(), "ready");
    for signal in [Signal::TERM, Signal::HUP] {
        running.signal(signal);
        assert_eq!(running.line(), "asked");
    }
    running.signal(Signal::TERM);
    let said = running.end();
    assert_eq!(said.code, 137, "{said:?}");
    assert!(said.err.contains("asked once more, it is killed"), "{said:?}");
    assert!(said.err.contains("ended the command: it was asked to end three times"), "{said:?}");
    world.verify_log().ok();
}

#[test]
fn a_limit_of_processes_or_of_file_sizes_is_a_failure_with_words() {
    for limit in ["--nproc=4", "--fsize=10", "--fsize=20000"] {
        let world = World::new();
        let mut command = world.program("prlimit");
        command.args([limit, crate::world::BOTTLE, "run", "--audit", world.audit().to_str().unwrap()]);
        let said = crate::world::said(command.args(["host", "--", "true"]));
        // Root has no limit of processes.
        if limit != "--nproc=4" || !rustix::process::geteuid().is_root() {
            let refused = said.refused();
            assert!(!refused.contains("panicked"), "{limit}: {refused}");
        }
    }
}

#[test]
fn output_that_cannot_be_written_is_a_failure_whatever_the_command_says() {
    let world = World::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = world.run(&["host", "--", "echo", "lost"]);
    let said = Said::from(command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
    assert_eq!(said.code, 125, "{said:?}");
    assert!(said.err.contains("ended with 0, but what it wrote is lost in part"), "{said:?}");
    assert!(said.err.contains("No space left on device"), "{said:?}");
    world.verify_log().ok();
}

#[test]
fn ctrl_z_does_not_stop_the_watcher_which_says_so() {
    let world = World::new();
    let mut command = world.run(&["host", "--", "sh", "-c", "echo ready; read line; echo $line"]);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let (mut out, mut err) =
        (BufReader::new(child.stdout.take().unwrap()), BufReader::new(child.stderr.take().unwrap()));
    let mut said = [String::new(), String::new()];
    out.read_line(&mut said[0]).unwrap();
    let group = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process_group(group, Signal::TSTP).unwrap();
    err.read_line(&mut said[1]).unwrap();
    assert!(said[1].contains("Ctrl-Z does not suspend it"), "{said:?}");
    child.stdin.take().unwrap().write_all(b"went on\n").unwrap();
    out.read_line(&mut said[0]).unwrap();
    assert_eq!((said[0].as_str(), child.wait().unwrap().code()), ("ready\nwent on\n", Some(0)));
}

#[test]
fn a_key_that_is_named_must_be_there() {
    let world = World::new();
    let key = world.path("mistyped.key");
    let said = crate::world::said(&mut world.run(&["--key", key.to_str().unwrap(), "host", "--", "true"]));
    let refused = said.refused();
    assert!(refused.contains("mistyped.key") && refused.contains("hint: `bottle attest keygen --key FILE` makes one"));
    assert!(!key.exists());
}

/// Hardened hosts set it. Where a crash would start a helper of the host's all the same, nothing starts.
#[test]
fn a_hard_limit_of_core_dumps_of_zero_is_none_of_bottles_concern_unless_they_are_piped() {
    let world = World::new();
    let mut command = world.program("prlimit");
    command.args(["--core=0", crate::world::BOTTLE, "run", "host", "--", "sh", "-c", "ulimit -Hc"]);
    let said = crate::world::said(&mut command);
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with(['|', '@']) {
        assert!(said.refused().contains("core dumps can't be turned off"), "{said:?}");
    } else {
        assert_eq!(said.ok(), "0\n");
    }
}
