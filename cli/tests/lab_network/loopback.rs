//! Is of the host's own loopback reached what a rule lists for `host.bottle.internal`, and nothing else of the host?

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use bottle_evidence::audit::Choice;
use bottle_lab::addresses::HOST;
use bottle_lab::{Answer, Options};

use crate::world::{Bottle, World};

/// Answers an HTTP request with what it was asked for, or speaks first, as a database does.
const SERVER: &str = "
import socket, sys, threading
listener = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
print(listener.getsockname()[1], flush=True)
def serve(stream):
    if sys.argv[2] == 'model':
        body = b'the model ' + stream.recv(4096).split(b' ')[1]
        stream.sendall(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(body) + body)
    else: stream.sendall(b'the database')
    stream.shutdown(socket.SHUT_WR)
    while stream.recv(4096): pass
    stream.close()
while True: threading.Thread(target=serve, args=(listener.accept()[0],)).start()
";

/// A server on the lab's host, which ends with the test.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// A database, which speaks first.
    fn at(world: &World, address: &str) -> Server {
        Server::playing("database", world, address)
    }

    fn playing(what: &str, world: &World, address: &str) -> Server {
        let mut python = world.lab.command("python3");
        let mut process = python.args(["-c", SERVER, address, what]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Server { process, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A run that may reach this port of the host's loopback in this way.
fn allowing<'a>(world: &'a World, protocol: &str, port: u16) -> Bottle<'a> {
    world.policy(&format!(
        "domains:\n  - pattern: \"host.bottle.internal\"\n    ports: [{port}]\n    protocol: {protocol}\n"
    ))
}

#[test]
fn a_model_server_is_reached_by_its_port_with_one_decision_and_one_outcome() {
    let world = World::new();
    for address in ["127.0.0.1", "::1"] {
        let server = Server::playing("model", &world, address);
        let script = format!(
            "print(say(tcp('host.bottle.internal', {0}), get('host.bottle.internal:{0}', '/api')))",
            server.port
        );
        let (said, run) = allowing(&world, "http", server.port).python(&script);
        assert!(said.last().unwrap().ends_with("the model /api"), "{said:?}");
        let (decision, outcome) = run.log.attempt();
        assert_eq!(decision.name.as_ref().unwrap().to_string(), "host.bottle.internal");
        assert_eq!((outcome.upstream, decision.port), (Some(address.parse().unwrap()), server.port));
        assert_eq!(run.log.row("host.bottle.internal").decision, Choice::Allow);
    }
    assert!(world.lab.dns_queries().unwrap().is_empty(), "nobody outside is asked what it is");
}

#[test]
fn a_database_is_reached_by_a_flag_and_through_the_explicit_proxy() {
    let world = World::new();
    let server = Server::at(&world, "127.0.0.1");
    let script = format!(
        "print(tcp('host.bottle.internal', {0}).recv(64).decode())
stream = tcp('28.0.0.1', 3128)
stream.sendall(b'CONNECT host.bottle.internal:{0} HTTP/1.1\\r\\nHost: host.bottle.internal:{0}\\r\\n\\r\\n')
got = b''
while piece := stream.recv(4096): got += piece
print(got.decode().split('\\r\\n\\r\\n')[1])",
        server.port
    );
    let (said, _) = world.allow(&[&format!("tcp://host.bottle.internal:{}", server.port)]).python(&script);
    assert_eq!(said, ["the database"; 2]);
}

#[test]
fn no_other_port_and_no_spelling_beside_it_is_reached() {
    let names = ["host.bottle.internal", "*.bottle.internal", "bottle.internal", "host.internal"];
    let loopback =
        |options: Options, name: &&str| options.name(name, Answer::Addresses(vec!["127.0.0.1".parse().unwrap()], 60));
    let world = World::with(names.iter().fold(Options::default(), loopback));
    let (listed, other) = (Server::at(&world, "127.0.0.1"), Server::at(&world, "127.0.0.1"));
    let policy = format!(
        "domains:\n  - {{ pattern: host.bottle.internal, ports: [{}], protocol: tcp }}\n  \
         - {{ pattern: \"*.internal\", protocol: tcp, allow_private: true }}\n",
        listed.port
    );
    let script = format!(
        "
for name in 'HOST.Bottle.Internal.', 'host.bottle.internal', 'x.host.bottle.internal', 'bottle.internal', 'x.bottle.internal', 'host.internal':
    print(name, end(lambda: tcp(name, {0}).recv(64)))
for name in '127.0.0.1', '[::1]', '{HOST}', '0.0.0.0', 'localhost', 'host.bottle.internal', 'HOST.bottle.INTERNAL.', 'x.host.bottle.internal':
    print(name, status(say(tcp('28.0.0.1', 3128), f'CONNECT {{name}}:{0} HTTP/1.1\\r\\nHost: {{name}}:{0}\\r\\n\\r\\n')))
print(tcp('HOST.Bottle.Internal.', {1}).recv(64).decode())",
        other.port, listed.port
    );
    let (said, run) = world.policy(&policy).python(&script);
    let refused = ["ECONNRESET", "NONAME", "403", "400"];
    let (last, before) = said.split_last().unwrap();
    assert_eq!((last.as_str(), before.len()), ("the database", 14), "{said:?}");
    assert!(before.iter().all(|line| refused.iter().any(|word| line.ends_with(word))), "{before:?}");
    assert!(run.log.reasons().contains(&"port-not-allowed".to_owned()), "{:?}", run.log.reasons());
    let asked: Vec<String> = world.lab.dns_queries().unwrap().into_iter().map(|query| query.name).collect();
    assert!(asked.iter().all(|name| name == "host.internal"), "{asked:?}");
}

#[test]
fn observing_does_not_cover_it_and_what_a_rule_lists_is_recorded_as_observed() {
    let world = World::new();
    let server = Server::at(&world, "127.0.0.1");
    let script = format!("print(end(lambda: tcp('host.bottle.internal', {}).recv(64).decode()))", server.port);
    let (said, run) = world.bottle(&["--allow-all"]).python(&script);
    assert_eq!(said, ["NONAME"]);
    assert!(
        run.log.names_denied().iter().all(|name| name == "host.bottle.internal") && !run.log.names_denied().is_empty()
    );
    let observing = format!(
        "mode: observe\ndomains: [{{pattern: host.bottle.internal, ports: [{}], protocol: tcp}}]\n",
        server.port
    );
    let (said, run) = world.policy(&observing).python(&script);
    assert_eq!((said[0].as_str(), run.log.attempt().0.decision), ("the database", Choice::Observe));
}

#[test]
fn a_port_where_nobody_listens_is_unreachable() {
    let world = World::new();
    let gone = Server::at(&world, "127.0.0.1").port;
    let script = format!("print(end(lambda: tcp('host.bottle.internal', {gone}).recv(64)))");
    let (said, run) = allowing(&world, "tcp", gone).python(&script);
    assert_eq!(said, ["ECONNRESET"]);
    assert!(run.log.attempt().1.upstream.is_none());
}

#[test]
fn why_says_the_same_and_the_bottles_own_names_stay_as_they_are() {
    let world = World::new();
    let file = world.path("policy.yaml");
    std::fs::write(&file, "version: 1\ndomains:\n  - {pattern: host.bottle.internal, ports: [11434], protocol: tcp}\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let (code, said) = world.verb(&["why", "host.bottle.internal:11434", "--policy", file]);
    assert!(code == 0 && said.contains("allowed by domains[0]"), "{said}");
    let (code, said) = world.verb(&["why", "host.bottle.internal:22", "--policy", file]);
    assert!(code == 1 && said.contains("port-not-allowed"), "{said}");
    let show = ["sh", "-c", "cat /etc/hosts; hostname"];
    let [without, with] = [world.bottle(&[]), world.bottle(&["--policy", file])].map(|bottle| bottle.run(&show).out);
    let lines = |text: &str| text.lines().filter(|line| line.starts_with("127.") || line.starts_with("::1")).count();
    assert_eq!(lines(&without), lines(&with));
    assert!(!with.contains("bottle.internal"), "{with}");
}
