//! What happens when a process of a bottle is stopped, so that nobody hears from it and nobody is told?

use std::fs;

use rustix::process::Signal;

use crate::running::{Held, Processes};
use crate::world::{ALLOW_ECHO, LIMIT, World};

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
    assert!(processes.gate.ends_within(LIMIT));
    processes.supervisor.signal(Signal::CONT);
    assert_eq!(running.end().code, 137);
    world.verify_log().ok();
}

/// Holds a connection, and when there is `go` asks for more names that are denied than the gate's channel has room for.
const FLOOD: &str = r"
import os, socket
held = socket.create_connection(('web.lab.example', 7), 20)
held.sendall(b'ready\n'); print(held.recv(6).decode().strip(), flush=True)
while not os.path.exists('go'): pass
for number in range(2000):
    try: socket.gethostbyname(f'n{number}.example.')
    except OSError: pass
held.recv(1)
";

/// Nobody takes what the gate would say of them, and it waits for nobody before it cuts.
#[test]
fn a_stopped_supervisor_means_that_upstream_is_cut_in_a_flood_of_denials_too() {
    let world = World::new();
    let [option, value] = ALLOW_ECHO;
    let running = world.start(&[option, value, "host", "--", "python3", "-c", FLOOD]).ready();
    let processes = running.processes();
    processes.supervisor.signal(Signal::STOP);
    fs::write(world.project("go"), "").unwrap();
    world.assert_cut();
    assert!(processes.gate.ends_within(LIMIT));
    processes.supervisor.signal(Signal::CONT);
    assert_eq!(running.end().code, 137);
    world.verify_log().ok();
}
