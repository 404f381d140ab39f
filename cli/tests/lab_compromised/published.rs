//! What is a published port to a gate or an init that somebody else controls? The sockets in hand, and no other.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use bottle_lab::addresses::ATTACKER;
use rustix::io::Errno;

use crate::puppet::Puppet;
use crate::running::Running;
use crate::world::World;

/// Answers each line with the same.
const SERVER: &str = "
import socket, sys, threading
listener = socket.create_server(('127.0.0.1', 8000))
def serve(stream):
    while piece := stream.recv(4096): stream.sendall(piece)
    stream.close()
def accept():
    while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
print('ready', flush=True)
sys.stdin.read()";

/// Sends what it is told, and says what comes back.
const CLIENT: &str = "
import socket, sys
stream = socket.create_connection(('127.0.0.1', 8080), 30)
for line in sys.stdin:
    stream.sendall(line.encode())
    print(stream.recv(4096).decode(), end='', flush=True)";

/// A bottle with a published port, and a client on the lab's host that is connected to it.
struct Scene {
    running: Running,
    client: Child,
}

impl Scene {
    fn new(world: &World) -> Scene {
        let running = world.start(&["-p", "8080:8000", "host", "--", "python3", "-c", SERVER]).ready();
        let mut client = world.program("python3");
        let client = client.args(["-c", CLIENT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut scene = Scene { running, client };
        scene.assert_relayed("hello");
        scene
    }

    fn assert_relayed(&mut self, word: &str) {
        writeln!(self.client.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut line = String::new();
        BufReader::new(self.client.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), word);
    }

    /// Nothing was noticed that counts as drift, and the log has one outcome for the connection.
    fn assert_unharmed(mut self, world: &World) {
        self.assert_relayed("again");
        drop(self.client.stdin.take());
        self.client.wait().unwrap();
        self.running.finish().ok();
        assert_eq!((world.entries_of("inbound").len(), world.entries_of("inbound.outcome").len()), (1, 1));
        world.verify_log().ok();
    }
}

/// The address that a socket of the puppet's listens on or is connected from.
fn own_port(puppet: &Puppet, socket: u64) -> u16 {
    puppet.forget();
    let (name, length) = (puppet.space(128), puppet.put(&128_u32.to_ne_bytes()));
    puppet.call(libc::SYS_getsockname, &[socket, name, length]).unwrap();
    u16::from_be_bytes(puppet.get(name + 2, 2).try_into().unwrap())
}

#[test]
fn a_compromised_gate_has_no_published_listener_and_can_lead_no_client_elsewhere() {
    let world = World::new();
    let scene = Scene::new(&world);
    let gate = Puppet::hold(&scene.running.processes().gate);
    let sockets = gate.sockets(libc::AF_INET, libc::SOCK_STREAM);
    let clients: Vec<u64> = sockets.into_iter().filter(|socket| own_port(&gate, *socket) == 8080).collect();
    assert_eq!(clients.len(), 1, "the one that was handed over");
    gate.forget();
    let (value, length) = (gate.put(&[0; 4]), gate.put(&4_u32.to_ne_bytes()));
    let (level, accepting) = (libc::SOL_SOCKET as u64, libc::SO_ACCEPTCONN as u64);
    gate.call(libc::SYS_getsockopt, &[clients[0], level, accepting, value, length]).unwrap();
    assert_eq!(gate.get(value, 4), [0; 4], "it listens");
    for target in ["127.0.0.1:8080".parse().unwrap(), SocketAddr::from((ATTACKER, 9))] {
        assert_eq!(gate.connect(clients[0], target), Err(Errno::PERM));
        // A connected stream takes no address.
        assert_eq!(gate.call(libc::SYS_bind, &[clients[0]]), Err(Errno::PERM));
    }
    drop(gate);
    scene.assert_unharmed(&world);
}

#[test]
fn a_compromised_gate_can_not_make_the_log_of_who_came_in_say_too_much_or_break() {
    let world = World::new();
    let scene = Scene::new(&world);
    let processes = scene.running.processes();
    let gate = Puppet::hold(&processes.gate);
    let channel = gate.channel_to(&world, &processes.supervisor);
    let ended = |connection: u64, bytes: u64| {
        let said = serde_json::json!({ "InboundEnded": {
            "connection": connection, "ended": "closed", "inward": bytes, "outward": bytes, "millis": bytes
        } });
        gate.say(channel, said.to_string().as_bytes(), &[]).unwrap();
    };
    ended(2, 7);
    ended(1, u64::MAX);
    ended(1, 0);
    drop(gate);
    scene.assert_unharmed(&world);
    let outcome = &world.entries_of("inbound.outcome")[0];
    assert_eq!(outcome["bytes_in"], (1_u64 << 53) - 1, "{outcome}");
}

/// It has what the workload has: sockets of the bottle's own namespace, of which all that leads out is the gate's to judge.
#[test]
fn a_compromised_init_of_roots_reaches_what_the_workload_reaches_and_nothing_of_the_hosts() {
    // An ordinary user's tests can't hold a process that nobody may look into.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new();
    let scene = Scene::new(&world);
    let init = Puppet::hold(&scene.running.processes().init);
    for (family, kind, protocol) in [(1, 1, 0), (2, 2, 0), (2, 3, 6), (2, 1, 132), (10, 3, 58), (16, 3, 0), (17, 3, 0)]
    {
        assert_eq!(init.call(libc::SYS_socket, &[family, kind, protocol]), Err(Errno::PERM), "family {family}");
    }
    for refused in [libc::SYS_bind, libc::SYS_listen, libc::SYS_accept4, libc::SYS_setsockopt, libc::SYS_sendto] {
        assert_eq!(init.call(refused, &[0; 6]), Err(Errno::PERM), "call {refused}");
    }
    let attempt = |target: &str| {
        let socket = init.call(libc::SYS_socket, &[2, 1, 6]).unwrap().cast_unsigned();
        let connected = init.connect(socket, target.parse().unwrap());
        init.forget();
        let word = init.put(b"token");
        let sent = connected.and_then(|_| init.call(libc::SYS_write, &[socket, word, 5]));
        let heard = sent.and_then(|_| init.call(libc::SYS_read, &[socket, word, 5]));
        init.call(libc::SYS_close, &[socket]).unwrap();
        heard
    };
    assert_eq!(attempt("127.0.0.1:8080"), Err(Errno::CONNREFUSED), "the host's end of the port");
    assert_eq!(attempt(&format!("{ATTACKER}:9")), Err(Errno::CONNRESET), "judged by the gate, and denied");
    assert_eq!(attempt("127.0.0.1:8000"), Ok(5), "the control: the workload's own server");
    drop(init);
    scene.assert_unharmed(&world);
    assert_eq!(world.entries_of("decision").len(), 1);
}
