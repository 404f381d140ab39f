//! Can a workload that behaves badly hurt the gate, or others behind it?

use std::fs;

use crate::running::Running;
use crate::world::{World, said};

const ALLOW: [&str; 2] = ["--allow", "web.lab.example"];

/// The memory of a process that is no file's, in KiB: how much of a program's file counts depends on who else runs it.
fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse().unwrap()
}

/// What an idle gate may grow by, whatever the workload does. The bodies of its limits are far below.
const GROWTH: u64 = 48 * 1024;

fn python(world: &World, script: &str) -> Running {
    let [option, value] = ALLOW;
    world.start(&[option, value, "host", "--", "python3", "-c", script])
}

/// A request among all that, by a client that behaves.
const OTHERS: &str = "
import ssl, urllib.request
def others():
    context = ssl.create_default_context(cafile='/etc/ssl/certs/ca-certificates.crt')
    with urllib.request.urlopen('https://web.lab.example/status/200', timeout=20, context=context) as answer:
        assert answer.status == 200
";

#[test]
fn thousands_of_idle_connections_cost_little_and_hinder_nobody() {
    let world = World::new();
    let script = format!(
        "{OTHERS}
import resource, socket
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
print('ready', flush=True); input()
held, most = [], min(10000, hard - 100)
try:
    while len(held) < most: held.append(socket.create_connection(('web.lab.example', 443), 20))
except OSError as error: print(error, flush=True)
else: print(len(held), flush=True)
input()
del held
# The gate hears of each end by itself, a moment later.
while True:
    try: others(); break
    except OSError: pass
"
    );
    let mut running = python(&world, &script).ready();
    let gate = running.processes().gate.pid;
    let before = memory(gate);
    running.write("\n");
    let held = running.line();
    let grown = memory(gate).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} KiB for {held}");
    running.write("\n");
    running.finish().ok();
    // Not one of them got further than the gate.
    assert_eq!(world.lab.received("web").unwrap().len(), 1);
    world.verify_log().ok();
}

#[test]
fn a_hello_that_comes_byte_by_byte_or_never_ends_hinders_nobody() {
    let world = World::new();
    let script = format!(
        "{OTHERS}
import socket, threading
def connect():
    one = socket.create_connection(('web.lab.example', 443), 20)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one
# A record of a hello that announces 16 MiB, and records of it without end.
endless = connect()
def pour():
    try:
        endless.sendall(bytes([22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff]) + bytes(0x4000 - 4))
        while True: endless.sendall(bytes([22, 3, 1, 0x40, 0]) + bytes(0x4000))
    except OSError: print('endless refused', flush=True)
threading.Thread(target=pour).start()
# Many that have begun a good hello and say no more; one goes on, byte by byte, and is served in the end.
import ssl
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
client = ssl.create_default_context(cafile='/etc/ssl/certs/ca-certificates.crt')
client = client.wrap_bio(incoming, outgoing, server_hostname='web.lab.example')
try: client.do_handshake()
except ssl.SSLWantReadError: pass
hello = outgoing.read()
begun = [connect() for _ in range(200)]
for one in begun: one.sendall(hello[:100])
others()
slow = connect()
for at in range(len(hello)): slow.sendall(hello[at:at + 1])
assert slow.recv(1) == bytes([22])
print('slow served', flush=True)
"
    );
    let mut running = python(&world, &script);
    let mut said = [running.line(), running.line()];
    said.sort();
    assert_eq!(said, ["endless refused", "slow served"]);
    let said = running.finish();
    assert_eq!(said.code, 0, "{said:?}");
    world.verify_log().ok();
}

#[test]
fn rubbish_on_every_port_is_refused_and_recorded() {
    let world = World::new();
    let script = "import socket\n\
        for rubbish in bytes(4096), bytes([0xff]) * 70000, b'GET / HTTP/1.1\\r\\n' * 9000, bytes([22, 3, 1, 0, 0]) * 9999:\n\
        \x20s = socket.create_connection(('web.lab.example', 443), 20)\n\
        \x20try:\n\
        \x20 s.sendall(rubbish); assert s.recv(1) == b'', 'answered'\n\
        \x20except OSError as error: assert error.errno in (104, 32), error\n";
    let [option, value] = ALLOW;
    said(&mut world.run(&[option, value, "host", "--", "python3", "-c", script])).ok();
    let decisions = world.entries_of("decision");
    assert_eq!(decisions.len(), 4, "{decisions:?}");
    assert!(decisions.iter().all(|entry| entry["decision"] == "deny"), "{decisions:?}");
    assert!(world.lab.received("web").unwrap().is_empty());
    world.verify_log().ok();
}
