//! What does an upstream that breaks, or a resolver that lies, do to a run? It hurts its own connection, and nothing else.

use bottle_lab::addresses::{ATTACKER, ATTACKER_V6, WEB};
use bottle_lab::{Answer, Options};
use serde_json::Value;

use crate::scene::Scene;

/// What a client of an upstream sees, each on a port of the lab's that breaks so. It ends with what it holds still open.
const UPSTREAMS: [(&str, &str); 5] = [
    (
        "never reads",
        "s = to('web.lab.example', 1001)\ntry:\n while True: s.send(bytes(65536))\nexcept TimeoutError: print('full')",
    ),
    ("resets", "s = to('web.lab.example', 1002); s.send(b'token\\n'); print(ended(lambda: s.recv(1)))"),
    (
        "floods",
        "s, n = to('web.lab.example', 1003), 0\nwhile n < 20_000_000: n += len(s.recv(1 << 20))\nprint('flooded')",
    ),
    ("half-closes", "s = to('web.lab.example', 1004); print(s.recv(1)); s.sendall(b'more' * 9999); s.close()"),
    ("never answers", "print(ended(lambda: to('blackhole.lab.example', 443).recv(1)))"),
];

/// What a client sees of a name about which the resolver says this.
const RESOLVERS: [(&str, &[&str]); 5] = [
    ("silence", &["TimeoutError", "ConnectionResetError"]),
    ("foreign", &["TimeoutError", "ConnectionResetError"]),
    ("forged", &["TimeoutError", "ConnectionResetError"]),
    ("failure", &["ConnectionResetError"]),
    ("huge", &["b't'", "ConnectionResetError"]),
];

const CLIENT: &str = "
import socket
def to(host, port): return socket.create_connection((host, port), 2)
def ended(act):
    try: return act()
    except OSError as error: return type(error).__name__
";

fn scene() -> Scene {
    let attacker = vec![ATTACKER.into(), ATTACKER_V6.into()];
    let options = Options::default().name("foreign.lab.example", Answer::Foreign(attacker.clone()));
    let options = options.name("forged.lab.example", Answer::Forged(attacker));
    Scene::with(options.name("huge.lab.example", Answer::Huge(WEB)))
}

/// Runs it to its end; what it said.
fn run(scene: &mut Scene, script: &str, what: &str) -> String {
    let rules = [7, 443, 1001, 1002, 1003, 1004].map(|port| format!("tcp://*.lab.example:{port}"));
    let allow: Vec<&str> = rules.iter().flat_map(|rule| ["--allow", rule]).collect();
    let script = format!("{CLIENT}{script}");
    let said = scene.start(&[&allow[..], &["host", "--", "python3", "-c", &script]].concat()).finish();
    assert_eq!(said.code, 0, "{what}: {said:?}");
    scene.assert_nothing_left(what);
    let log = crate::world::entries(&scene.audit());
    let of = |kind: &str| log.iter().filter(|entry: &&Value| entry["kind"] == kind).count();
    assert_eq!((of("decision"), of("outcome")), (1, 1), "{what}: {log:#?}");
    said.out
}

#[test]
fn an_upstream_that_breaks_hurts_its_own_connection_and_leaves_nothing() {
    let mut scene = scene();
    let expected = ["full\n", "ConnectionResetError\n", "flooded\n", "b''\n", "TimeoutError\n"];
    for ((what, script), expected) in UPSTREAMS.into_iter().zip(expected) {
        assert_eq!(run(&mut scene, script, what), expected, "{what}");
    }
    scene.assert_clean("the last upstream");
}

#[test]
fn a_resolver_that_lies_stalls_or_floods_leads_nowhere_else_and_leaves_nothing() {
    let mut scene = scene();
    for (name, expected) in RESOLVERS {
        let script = format!(
            "def talk():\n s = to('{name}.lab.example', 7); s.send(b'token\\n'); return s.recv(1)\nprint(ended(talk))"
        );
        let said = run(&mut scene, &script, name);
        assert!(expected.contains(&said.trim()), "{name}: {said}");
    }
    let astray = scene.world.lab.received("echo").unwrap().into_iter().filter(|it| it.to.ip() != WEB).count();
    assert_eq!(astray, 0, "a lie was believed");
    scene.assert_clean("the last resolver");
}
