//! Are protocols in which the server speaks first authorised by name? (N5)

use crate::world::World;

const SSH: &str = "print(tcp('ssh.lab.example', 22).recv(64).decode().strip())";

#[test]
fn an_ssh_banner_comes_through_by_name() {
    let world = World::new();
    let (said, run) = world.allow(&["tcp://ssh.lab.example:22"]).python(SSH);
    assert_eq!(said, ["SSH-2.0-lab_1.0"]);
    let (decision, outcome) = run.log.attempt();
    assert_eq!(decision.name.as_ref().unwrap().to_string(), "ssh.lab.example");
    assert_eq!((outcome.bytes_up, outcome.bytes_down), (Some(0), Some(17)));
}

#[test]
fn a_name_is_not_looked_up_before_it_is_dialled() {
    let world = World::new();
    let (said, _) = world
        .allow(&["tcp://ssh.lab.example:22"])
        .python("print(*sorted({place[4][0].split('.')[0] for place in socket.getaddrinfo('ssh.lab.example', 22)}))");
    assert_eq!(said, ["28"]);
    assert!(world.lab.dns_queries().unwrap().is_empty());
}

#[test]
fn a_database_refuses_tls_and_answers_a_query() {
    let world = World::new();
    let script = "
s = tcp('db.lab.example', 5432); f = s.makefile('rb')
s.sendall(struct.pack('>II', 8, 80877103)); assert f.read(1) == b'N'
start = struct.pack('>I', 196608) + b'user\\0me\\0\\0'; s.sendall(struct.pack('>I', len(start) + 4) + start)
def message():
    kind = f.read(1); return kind, f.read(struct.unpack('>I', f.read(4))[0] - 4)
while message()[0] != b'Z': pass
q = b'select 1\\0'; s.sendall(b'Q' + struct.pack('>I', len(q) + 4) + q)
got = {}
while b'Z' not in got: got.update([message()])
print(got[b'D'][6:].decode())";
    let (said, _) = world.allow(&["tcp://db.lab.example:5432"]).python(script);
    assert_eq!(said, ["lab"]);
    assert_eq!(world.lab.received("postgres").unwrap().len(), 1);
}

#[test]
fn a_banner_does_not_come_through_where_tls_is_expected() {
    let world = World::new();
    let rule = "domains:\n  - pattern: \"ssh.lab.example\"\n    ports: [22]\n";
    let script = "print(end(lambda: say(tcp('ssh.lab.example', 22), 'SSH-2.0-x\\r\\n')))";
    let (said, run) = world.policy(rule).python(script);
    assert_eq!((said, run.log.reasons()), (vec!["ECONNRESET".to_owned()], vec!["not-tls".to_owned()]));
    assert!(run.err.contains("--allow tcp://ssh.lab.example:22"), "{}", run.err);
    assert!(world.lab.received("ssh").unwrap().is_empty());
}

#[test]
fn a_client_that_waits_for_the_server_is_told_which_rule_it_needs() {
    let world = World::new();
    let rule = "domains:\n  - pattern: \"*.lab.example\"\n";
    let script = "stream = tcp('ssh.lab.example', 25); stream.settimeout(1); print(end(lambda: stream.recv(1)))
tcp('web.lab.example', 443).close()";
    let (said, run) = world.policy(rule).python(script);
    assert_eq!((said, run.log.reasons()), (vec!["TIMEOUT".to_owned()], vec!["nothing-sent".to_owned(); 2]));
    let line = |place: &str| run.err.lines().find(|line| line.contains(place)).map(str::to_owned).unwrap_or_default();
    assert!(line("ssh.lab.example:25: ").ends_with("to allow it: --allow tcp://ssh.lab.example:25"), "{}", run.err);
    assert!(line("web.lab.example:443: the client sent nothing").ends_with("from it"), "{}", run.err);
    assert!(world.lab.dns_queries().unwrap().is_empty());
}

#[test]
fn a_name_that_first_bytes_show_is_held_against_a_tcp_rule_too() {
    let world = World::new();
    let rule = ["tcp://api.allowed.example:443", "tcp://api.allowed.example:80"];
    let script = "print(https('api.allowed.example'), https('api.allowed.example', name='evil.attacker.example'))
print(http('api.allowed.example'), http('api.allowed.example', name='evil.attacker.example'))";
    let (said, run) = world.allow(&rule).python(script);
    assert_eq!(said, ["200 ECONNRESET"; 2]);
    assert_eq!(run.log.reasons(), ["name-mismatch"; 2]);
    for got in world.lab.received("web").unwrap() {
        assert!(got.requests.iter().all(|request| request.host == "api.allowed.example"));
        assert_ne!(got.server_name.as_deref(), Some("evil.attacker.example"));
    }
}

#[test]
fn two_names_at_one_address_are_two_destinations() {
    let world = World::new();
    // All three lie at the web's address.
    let script = "print(https('api.allowed.example'), https('v4only.lab.example'))
print(socket.gethostbyname('api.allowed.example') != socket.gethostbyname('alias.lab.example'))";
    let (said, _) = world.allow(&["api.allowed.example", "alias.lab.example:8443"]).python(script);
    assert_eq!(said, ["200 NONAME", "True"]);
}
