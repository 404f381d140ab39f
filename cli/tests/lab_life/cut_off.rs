//! What becomes of who is connected to a published port when something breaks? And is the port a way out?

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use rustix::process::Signal;

use crate::running::{Held, Processes, Running};
use crate::visitor::{Client, SERVER, connections, serving};
use crate::world::{LIMIT, Said, World, said, text};

/// Who is connected is so no more, the port is nobody's, and the log says that the connection was cut.
fn assert_cut(which: fn(&Processes) -> &Held) -> (World, Running) {
    let world = World::new();
    let running = serving(&world, &["8080:8000"], "127.0.0.1");
    let mut client = Client::new(&world);
    client.connected("127.0.0.1", 8080, 0);
    let processes = running.processes();
    which(&processes).signal(Signal::KILL);
    // The workload may have ended before the gate, and then it is the one who has closed.
    let ended = client.ask("receive 0");
    assert!(ended == "ECONNRESET" || ended == "end", "{ended}");
    assert!(processes.all().iter().all(|process| process.ends_within(LIMIT)));
    assert_eq!(client.ask("connect 127.0.0.1 8080"), "ECONNREFUSED");
    (world, running)
}

#[test]
fn a_killed_supervisor_leaves_nobody_connected_and_the_port_free() {
    let (world, running) = assert_cut(|processes| &processes.supervisor);
    running.bury();
    serving(&world, &["8080:8000"], "127.0.0.1").finish().ok();
}

#[test]
fn a_killed_helper_leaves_nobody_connected_and_the_log_says_so() {
    let helpers: [fn(&Processes) -> &Held; 3] = [|all| &all.gate, |all| &all.init, |all| &all.dialler];
    for which in helpers {
        let (world, running) = assert_cut(which);
        assert_eq!(running.end().code, 137);
        let (_, outcome) = &connections(&world)[0];
        assert!(outcome["result"] == "cut" || outcome["result"] == "reset", "{outcome}");
    }
}

#[test]
fn a_stopped_supervisor_means_that_who_is_connected_is_cut() {
    let world = World::new();
    let running = serving(&world, &["8080:8000"], "127.0.0.1");
    let mut client = Client::new(&world);
    client.connected("127.0.0.1", 8080, 0);
    let processes = running.processes();
    processes.supervisor.signal(Signal::STOP);
    assert_eq!(client.ask("receive 0"), "ECONNRESET");
    processes.supervisor.signal(Signal::CONT);
    assert_eq!(running.end().code, 137);
    connections(&world);
}

#[test]
fn who_cannot_be_recorded_is_reset_before_a_byte_moves() {
    let world = World::new();
    let mut command = world.program("prlimit");
    command.args(["--fsize=65536", crate::world::BOTTLE, "run", "--audit", text(&world.audit()), "-p", "8080:8000"]);
    // It writes a line for each who says something.
    let server = SERVER.replace("    word = b''\n", "    word = b''\n    print('client', flush=True)\n");
    command.args(["host", "--", "python3", "-c", &server, "127.0.0.1", "8000"]);
    let running = Running::start(command).ready();
    let mut client = Client::new(&world);
    let mut served = 0;
    loop {
        client.ask("connect 127.0.0.1 8080");
        client.ask(&format!("send {served} echo"));
        client.ask(&format!("send {served} hello"));
        if client.ask(&format!("receive {served}")) != "hello" {
            break;
        }
        served += 1;
    }
    let full: Said = running.finish();
    assert!(full.err.contains("the audit log cannot be written"), "{full:?}");
    assert!(served > 0 && full.out.matches("client").count() == served, "{served}: {full:?}");
}

#[test]
fn a_crowd_is_served_and_each_has_one_outcome() {
    const CROWD: usize = 300;
    let world = World::new();
    let running = serving(&world, &["8080:8000"], "127.0.0.1");
    let script = format!(
        "import concurrent.futures, socket
def one(_):
    stream = socket.create_connection(('127.0.0.1', 8080), 60)
    stream.sendall(b'echo\\n' + b'hello'); stream.shutdown(socket.SHUT_WR)
    got = b''
    while piece := stream.recv(64): got += piece
    return got
with concurrent.futures.ThreadPoolExecutor({CROWD}) as crowd: print(set(crowd.map(one, range({CROWD}))))"
    );
    assert_eq!(said(world.program("python3").args(["-c", &script])).ok(), "{b'hello'}\n");
    running.finish().ok();
    let all = connections(&world);
    assert_eq!(all.len(), CROWD);
    assert!(all.iter().all(|(_, outcome)| outcome["result"] == "closed" && outcome["bytes_out"] == 5));
}

/// What is tried from inside: the host's end of the port, what else the host listens on, and to be taken for a client.
const WAYS_OUT: &str = r"
import errno, socket, sys
def attempt(act):
    try: return act()
    except OSError as error: return errno.errorcode.get(error.errno, 'timeout')
def said(address, port):
    stream = socket.create_connection((address, port), 20)
    stream.sendall(b'token')
    return stream.recv(64) or 'end'
print('ready', flush=True)
sys.stdin.readline()
for address in '127.0.0.1', '::1', '28.0.0.1', '28.0.0.2', 'fd28::1', '10.9.9.9':
    for port in 8080, 7070:
        print(address, port, attempt(lambda: said(address, port)))
";

#[test]
fn a_published_port_is_no_way_out() {
    let world = World::new();
    let mut host = world.program("python3");
    let listener = "import socket
listener = socket.create_server(('127.0.0.1', 7070)); print('ready', flush=True)
listener.accept(); print('reached', flush=True)";
    let mut host = host.args(["-c", listener]).stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(host.stdout.take().unwrap());
    heard.read_line(&mut String::new()).unwrap();
    let mut running = world.start(&["-p", "8080:8000", "host", "--", "python3", "-c", WAYS_OUT]).ready();
    running.write("go\n");
    let ended = running.finish();
    assert_eq!(ended.ok().lines().count(), 12);
    for line in ended.out.lines() {
        let refused = ["ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "end"];
        assert!(refused.iter().any(|word| line.ends_with(word)), "{line}");
    }
    host.kill().unwrap();
    host.wait().unwrap();
    let mut rest = String::new();
    heard.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "the host's own loopback was reached");
    assert!(world.entries_of("inbound").is_empty());
    world.verify_log().ok();
}
