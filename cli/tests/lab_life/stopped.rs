//! What happens when a process of a bottle is stopped, so that nobody hears from it and nobody is told?

use rustix::process::Signal;

use crate::running::{Held, Processes};
use crate::world::World;

fn assert_noticed(which: impl Fn(&Processes) -> &Held, what: &str) {
    let world = World::new();
    let running = world.connected();
    which(&running.processes()).signal(Signal::STOP);
    let said = running.end();
    assert_eq!(said.code, 137, "{said:?}");
    world.assert_cut();
    let drift = &world.entries_of("drift")[0];
    assert_eq!(drift["what"], what, "{drift}");
    assert!(drift["detail"].as_str().unwrap().contains("stopped"), "{drift}");
    world.verify_log().ok();
}

#[test]
fn a_stopped_gate_ends_the_run() {
    assert_noticed(|processes| &processes.gate, "gate");
}

#[test]
fn a_stopped_dialler_ends_the_run() {
    assert_noticed(|processes| &processes.dialler, "dialler");
}

#[test]
fn a_stopped_init_ends_the_run() {
    assert_noticed(|processes| &processes.init, "init");
}

#[test]
fn a_stopped_supervisor_means_that_upstream_is_cut() {
    let world = World::new();
    let running = world.connected();
    let processes = running.processes();
    processes.supervisor.signal(Signal::STOP);
    world.assert_cut();
    // Nothing new goes out either: the gate is gone, and the dialler gets no acknowledgement.
    assert!(processes.gate.ends_within(crate::world::LIMIT));
    processes.supervisor.signal(Signal::CONT);
    assert_eq!(running.end().code, 137);
    world.verify_log().ok();
}
