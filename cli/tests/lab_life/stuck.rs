//! What happens when the kernel takes for ever to execute the command, as on a file system that no longer answers?
//!
//! Somebody holds a lease on the program, so that opening it waits until the lease is given up.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Stdio};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use crate::host;
use crate::running::{Held, Running};
use crate::world::{Said, World};

/// Says `held` when it has the lease, and `asked` when somebody waits for it; then keeps it.
const LEASE: &str = r#"
import fcntl, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
program = open(sys.argv[1], "r+")
fcntl.fcntl(program, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
signal.sigwait({signal.SIGIO})
print("asked", flush=True)
signal.pause()
"#;

/// A program that nobody can open for now.
struct Lease {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Lease {
    /// None where somebody has opened the program already.
    fn take(world: &World) -> Option<Lease> {
        let mut python = world.program("python3");
        python.args(["-c", LEASE]).arg(world.project("program")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut lease = Lease { child, out };
        lease.says("held").then_some(lease)
    }

    fn says(&mut self, expected: &str) -> bool {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end() == expected
    }

    /// Waits for somebody who wants the program, or for the end of this process.
    fn is_asked_before_the_end_of(&mut self, process: &Held) -> bool {
        let mut ready = [PollFd::new(self.out.get_ref(), PollFlags::IN), PollFd::new(&process.pidfd, PollFlags::IN)];
        rustix::event::poll(&mut ready, None).unwrap();
        let spoke = !ready[0].revents().is_empty();
        spoke && self.says("asked")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // It may still wait to be asked.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A bottle whose workload was released and stands in its execve(2). On a busy machine the command may have been quicker than
/// the lease, and then another one is started.
fn stuck(world: &World, options: &[&str]) -> (Running, Lease) {
    (0..20).find_map(|_| try_to_be_stuck(world, options)).expect("the command is always quicker")
}

fn try_to_be_stuck(world: &World, options: &[&str]) -> Option<(Running, Lease)> {
    let program = world.project("program");
    std::fs::write(&program, "#!/bin/sh\necho > ran\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let watch = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
    watch.add_watch(&world.path(""), AddWatchFlags::IN_CREATE).unwrap();
    let running = world.start(&[options, &["host", "--", "./program"]].concat());
    let supervisor = Held::new(running.pid());
    let begins = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("attestation.json");
    // By then the program was opened and measured for the last time.
    while !watch.read_events().unwrap().iter().any(|event| event.name.as_deref().is_some_and(begins)) {}
    supervisor.signal(Signal::STOP);
    while host::status(supervisor.pid, "State").is_some_and(|state| !state.starts_with('T')) {
        std::thread::yield_now();
    }
    let lease = Lease::take(world);
    supervisor.signal(Signal::CONT);
    if let Some(mut lease) = lease
        && lease.is_asked_before_the_end_of(&supervisor)
    {
        return Some((running, lease));
    }
    running.end();
    for of_that_run in [world.audit(), world.attestation(), world.project("ran")] {
        let _ = std::fs::remove_file(of_that_run);
    }
    None
}

fn assert_closed(world: &World, said: &Said, code: u8) {
    assert_eq!(said.code, i32::from(code), "{said:?}");
    assert!(!world.project("ran").exists());
    let ends = world.entries_of("run.end");
    assert_eq!((ends.len(), &ends[0]["exit"]), (1, &code.into()), "{ends:?}");
    assert!(ends[0]["reason"].is_string(), "{ends:?}");
    world.verify_log().ok();
}

#[test]
fn the_callers_time_limit_covers_it() {
    let world = World::new();
    let (running, _lease) = stuck(&world, &["--timeout", "1s"]);
    assert_closed(&world, &running.end(), 137);
}

#[test]
fn a_signal_ends_it() {
    let world = World::new();
    let (running, _lease) = stuck(&world, &[]);
    running.signal(Signal::TERM);
    assert_closed(&world, &running.end(), 143);
}

#[test]
fn drift_ends_it() {
    let world = World::new();
    let (running, _lease) = stuck(&world, &[]);
    running.processes().gate.signal(Signal::KILL);
    assert_closed(&world, &running.end(), 137);
    assert_eq!(world.entries_of("drift")[0]["what"], "gate");
}
