//! Can anything change between two steps of a start and be in force when the workload runs? It is held at each step, and changed.
//!
//! The order is: subscribe, read back with the generation, hold and measure the workload while the probes run, sign, compare, put on record,
//! release.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::running::Running;
use crate::side;
use crate::world::{BOTTLE, LIMIT, Said, World, said};

/// Where a start is held: before which system call of which process.
struct Step {
    between: &'static str,
    who: &'static str,
    call: i64,
    argument: usize,
    pattern: String,
    /// Whether the run has begun in the log by then.
    opened: bool,
}

const SUPERVISOR: &str = "bottle";

/// O_TMPFILE without O_DIRECTORY.
const NAMELESS: i32 = libc::O_TMPFILE & !libc::O_DIRECTORY;

fn steps() -> [Step; 7] {
    let step = |between, who, call, argument, pattern: &str| Step {
        between,
        who,
        call,
        argument,
        pattern: pattern.to_owned(),
        opened: false,
    };
    // No other message of the supervisor's goes to a socket by this call than what asks the kernel for the namespaces' state.
    let (dump, nameless) =
        (step("subscribe and read back", SUPERVISOR, libc::SYS_sendto, 0, ""), format!("={NAMELESS}"));
    [
        dump,
        step("read back and probe", "bottle-init", libc::SYS_connect, 0, ""),
        step("hold the workload and measure it", SUPERVISOR, libc::SYS_openat, 1, "/proc/[0-9]+/mountinfo"),
        step("measure and sign", SUPERVISOR, libc::SYS_openat, 1, "/proc/[0-9]+/ns/user"),
        step("sign and compare", SUPERVISOR, libc::SYS_openat, 2, &nameless),
        Step { opened: true, ..step("compare and put on record", SUPERVISOR, libc::SYS_fdatasync, 0, "") },
        Step { opened: true, ..step("put on record and release", SUPERVISOR, libc::SYS_linkat, 3, "attestation.json") },
    ]
}

/// A start that is held at a step.
struct Start {
    running: Running,
    directory: PathBuf,
}

impl Start {
    fn held(world: &World, step: &Step) -> Start {
        // Else it would be made first, as an attestation is: without a name.
        said(&mut world.bottle(&["attest", "keygen"])).ok();
        let directory = world.path("steps");
        fs::create_dir_all(&directory).unwrap();
        said(world.program("mkfifo").arg(directory.join("go"))).ok();
        let (audit, attestation) = (world.audit(), world.attestation());
        let mut python = world.program("python3");
        python.args(["-c", include_str!("steps.py")]).arg(&directory).args([step.who, &step.call.to_string()]);
        python.args([&step.argument.to_string(), &step.pattern]).args([BOTTLE, "run", "--audit"]).arg(audit);
        python.arg("--attestation").arg(attestation).args(["host", "--", "sh", "-c", "echo > ran"]);
        let start = Start { running: Running::start(python), directory };
        let deadline = Instant::now() + LIMIT;
        while !start.directory.join("held").exists() {
            assert!(Instant::now() < deadline, "{}: it was never there", step.between);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        start
    }

    fn go_on(self) -> Said {
        fs::write(self.directory.join("go"), "go").unwrap();
        let said = self.running.end();
        fs::remove_dir_all(&self.directory).unwrap();
        said
    }

    /// Has somebody with power over the host do something in the agent's namespace, or in the gate's.
    fn change(&self, world: &World, namespace: usize, command: &[&str]) {
        let place = side::held_by(self.running.pid())[namespace].clone();
        said(world.privileged("nsenter").arg(format!("--net={place}")).args(command)).ok();
    }
}

/// Nothing ran, and the log is as it must be.
fn assert_aborted(world: &World, step: &Step, what: &str, said: &Said) {
    let what = format!("{what} between {}: {said:?}", step.between);
    assert_eq!(said.code, 125, "{what}");
    assert!(!world.project("ran").exists(), "{what}");
    let count = |kind| world.entries_of(kind).len();
    let opened = usize::from(step.opened);
    assert_eq!([count("run.start"), count("drift"), count("run.end")], [opened; 3], "{what}");
    if step.opened {
        world.verify_log().ok();
    } else {
        assert!(!world.attestation().exists(), "{what}");
    }
}

/// Holds a start at each step, does something, and demands that it comes to nothing.
fn at_each_step(what: &str, change: impl Fn(&Start, &World), told: &str) {
    for step in steps() {
        let world = World::new();
        let start = Start::held(&world, &step);
        change(&start, &world);
        let said = start.go_on();
        assert_aborted(&world, &step, what, &said);
        assert!(said.err.contains(told), "{what} between {}: {said:?}", step.between);
    }
}

#[test]
fn a_start_that_is_held_at_each_step_and_left_alone_goes_through() {
    for step in steps() {
        let world = World::new();
        let said = Start::held(&world, &step).go_on();
        assert_eq!(said.code, 0, "{}: {said:?}", step.between);
        assert!(world.project("ran").exists());
    }
}

/// It is over when the namespaces are read back: only what was announced tells.
#[test]
fn a_table_that_comes_and_goes_between_two_steps_aborts_the_start() {
    let script = "nft add table inet intruder; nft delete table inet intruder";
    at_each_step("a table", |start, world| start.change(world, 1, &["sh", "-c", script]), "packet rules");
}

#[test]
fn an_address_that_comes_and_goes_between_two_steps_aborts_the_start() {
    let script = "ip address add 10.9.9.9/32 dev lo; ip address delete 10.9.9.9/32 dev lo";
    at_each_step("an address", |start, world| start.change(world, 0, &["sh", "-c", script]), "10.9.9.9");
}

#[test]
fn a_setting_that_nobody_announces_aborts_the_start_wherever_it_is_changed() {
    let script = "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet";
    at_each_step("a setting", |start, world| start.change(world, 0, &["sh", "-c", script]), "route_localnet");
}

/// Each of them says what was known already, and is no change. That some were lost means that anything may have changed.
#[test]
fn notifications_that_are_lost_between_two_steps_abort_the_start() {
    let script = "for i in $(seq 4000); do echo link set eth0 alias a$i; done | ip -batch -";
    at_each_step("a flood", |start, world| start.change(world, 0, &["sh", "-c", script]), "notifications were lost");
}

/// The same of so few that none is lost.
#[test]
fn what_is_announced_and_is_no_change_does_not_abort_a_start() {
    for step in steps() {
        let world = World::new();
        let start = Start::held(&world, &step);
        start.change(&world, 0, &["ip", "link", "set", "eth0", "alias", "a"]);
        let said = start.go_on();
        assert_eq!(said.code, 0, "{}: {said:?}", step.between);
    }
}
