//! Has a run that was opened in the log an end there, whenever somebody interrupts it?

use std::os::unix::fs::PermissionsExt;

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
        let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let opened = || std::fs::read_to_string(world.audit()).unwrap().contains("\"kind\":\"run.start\"");
        until(&world.audit(), AddWatchFlags::IN_MODIFY, "the run is not opened in the log", opened);
        Held::new(child.id()).signal(signal);
        let said = Said::from(child.wait_with_output().unwrap());
        assert_eq!(said.code, 128 + signal.as_raw(), "{said:?}");
        assert_eq!(world.entries_of("run.end").len(), 1);
        world.verify_log().ok();
    }
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
