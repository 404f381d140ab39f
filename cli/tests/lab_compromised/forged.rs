//! What does a compromised gate get by lying to the dialler and the supervisor?

use rustix::io::Errno;
use serde_json::{Value, json};

use crate::puppet::Puppet;
use crate::running::{Held, Processes};
use crate::scene;
use crate::world::World;

/// What the gate sends for one connection.
pub fn attempt(id: u16, target: &Value, original: &str, port: u16, way: &str, seen: &Value) -> String {
    let request = json!({ "target": target, "port": port, "seen": seen });
    let source = format!("11.7.7.7:{id}");
    json!({ "Open": { "id": id, "source": source, "original": original, "way": way, "request": request, "denied": null } })
        .to_string()
}

/// Each decision in the log, and for which port.
fn decided(world: &World) -> Vec<(String, u64)> {
    let entries = world.entries_of("decision").into_iter();
    entries.map(|entry| (entry["decision"].as_str().unwrap().to_owned(), entry["port"].as_u64().unwrap())).collect()
}

#[test]
fn what_a_compromised_gate_asks_for_is_decided_recorded_and_refused() {
    let world = World::new();
    let running = scene::bottle_that_may(&world, &["--allow", "tcp://private.lab.example:9"]);
    let opaque = json!("opaque");
    let sni = json!({ "tls": { "sni": "web.lab.example", "ech": false } });
    let allowed = json!({ "lease": "web.lab.example" });
    let leased = |name: &str| json!({ "lease": name });
    let forged = [
        (
            "a name that no rule has",
            attempt(40001, &leased("ssh.lab.example"), "28.9.9.9:22", 22, "transparent", &opaque),
        ),
        ("an address", attempt(40002, &json!({ "literal": "11.6.6.6" }), "11.6.6.6:9", 9, "transparent", &opaque)),
        (
            "an address behind another",
            attempt(40003, &json!({ "literal": "11.6.6.6" }), "11.1.0.1:7", 7, "transparent", &opaque),
        ),
        (
            "the host itself",
            attempt(40004, &json!({ "literal": "127.0.0.1" }), "127.0.0.1:9", 9, "transparent", &opaque),
        ),
        ("another port", attempt(40005, &allowed, "28.9.9.9:9", 9, "transparent", &opaque)),
        ("a port that differs", attempt(40006, &allowed, "28.9.9.9:9", 7, "transparent", &opaque)),
        (
            "a server name for another",
            attempt(40007, &leased("ssh.lab.example"), "28.9.9.9:443", 443, "transparent", &sni),
        ),
        ("a lease by the proxy", attempt(40008, &allowed, "28.9.9.9:7", 7, "connect", &opaque)),
        (
            "a spelled name without the proxy",
            attempt(40009, &json!({ "named": "web.lab.example" }), "28.9.9.9:7", 7, "transparent", &opaque),
        ),
        (
            "nothing read yet",
            attempt(40010, &leased("ssh.lab.example"), "28.9.9.9:443", 443, "transparent", &json!("nothing")),
        ),
    ];
    let processes = running.processes();
    let gate = Puppet::hold(&processes.gate);
    let dialler = gate.channel_to(&world, &processes.dialler);
    for (what, message) in &forged {
        let answer = gate.ask(dialler, message);
        assert!(answer.contains("\"Refused\""), "{what}: {answer}");
    }
    // Allowed by name, and leads where no name may: that is seen only once it is resolved.
    let inward = attempt(40020, &leased("private.lab.example"), "28.9.9.9:9", 9, "transparent", &opaque);
    let answer = gate.ask(dialler, &inward);
    assert!(answer.contains("\"Refused\""), "{answer}");
    // What the workload might have asked for it gets, once that is in the log: the control.
    let answer = gate.ask(dialler, &attempt(40021, &allowed, "28.9.9.9:7", 7, "transparent", &opaque));
    assert!(answer.contains("\"Opened\""), "{answer}");
    drop(gate);
    scene::assert_unharmed(&world, running);
    let ports = [22, 9, 7, 9, 9, 7, 443, 7, 7, 443];
    let denied = ports.map(|port| ("deny".to_owned(), port));
    let [own, inward, control] = [7, 9, 7].map(|port| ("allow".to_owned(), port));
    assert_eq!(decided(&world), [&[own], &denied[..], &[inward, control]].concat());
    for service in ["collector", "ssh", "web"] {
        assert!(world.lab.received(service).unwrap().is_empty(), "{service}");
    }
    assert_eq!(world.lab.received("echo").unwrap().len(), 2, "the workload's and the control");
}

/// Says this to another process and sees that everything ends, with nothing allowed by it.
fn assert_ends(to: impl Fn(&Processes) -> &Held, words: &[&[u8]]) {
    let world = World::new();
    let running = scene::bottle(&world);
    let processes = running.processes();
    let gate = Puppet::hold(&processes.gate);
    let channel = gate.channel_to(&world, to(&processes));
    for word in words {
        // It is killed for it, perhaps before the call returns.
        let said = gate.say(channel, word, &[]);
        assert!(said == Ok(word.len() as i64) || said == Err(Errno::SRCH), "{said:?}");
    }
    drop(gate);
    assert_eq!(running.end().code, 137);
    world.assert_cut();
    world.verify_log().ok();
    assert_eq!(world.entries_of("drift").len(), 1);
    assert_eq!(decided(&world).iter().filter(|(decision, _)| decision != "deny").count(), 1, "the workload's own");
    assert!(world.lab.received("collector").unwrap().is_empty());
}

#[test]
fn a_gate_that_says_what_no_gate_says_to_the_dialler_ends_the_run() {
    let target = json!({ "literal": "11.6.6.6" });
    let one = attempt(40001, &target, "11.6.6.6:9", 9, "transparent", &json!("opaque"));
    let no_port = one.replace("\"port\":9", "\"port\":99999");
    let huge = format!("{one}{}", " ".repeat(70_000));
    let said: [&[&[u8]]; 5] =
        [&[b"{\"Open\":"], &[b"\"Ready\""], &[no_port.as_bytes()], &[huge.as_bytes()], &[one.as_bytes(); 2]];
    said.into_iter().for_each(|words| assert_ends(|all| &all.dialler, words));
}

#[test]
fn a_gate_that_says_what_no_gate_says_to_the_supervisor_ends_the_run() {
    let decided = b"{\"Decided\":{\"attempt\":{},\"decision\":{\"allow\":\"forged\"}}}";
    let said: [&[u8]; 4] = [b"\"Ready\"", b"\"Begun\"", b"{", decided];
    said.into_iter().for_each(|word| assert_ends(|all| &all.supervisor, &[word]));
}

#[test]
fn what_a_compromised_gate_reports_never_looks_like_a_connection() {
    let world = World::new();
    let running = scene::bottle(&world);
    let processes = running.processes();
    let gate = Puppet::hold(&processes.gate);
    let supervisor = gate.channel_to(&world, &processes.supervisor);
    let name = "evil\",\"kind\":\"decision\",\"verdict\":\"allow\"}\n{\"kind\":\"decision";
    for _ in 0..50 {
        let denied = json!({ "NameDenied": { "name": name, "kind": "A\n", "reason": "no-rule", "count": u64::MAX } });
        // As many as the channel takes: the supervisor reads meanwhile.
        let _ = gate.say(supervisor, denied.to_string().as_bytes(), &[]);
    }
    drop(gate);
    scene::assert_unharmed(&world, running);
    assert_eq!(world.entries_of("decision").len(), 1, "the workload's own");
    assert!(!world.entries_of("dns.denied").is_empty());
}

#[test]
fn descriptors_that_a_compromised_gate_sends_along_are_closed() {
    let world = World::new();
    let running = scene::bottle(&world);
    let processes = running.processes();
    let count = |pid| std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let before = count(processes.dialler.pid);
    let gate = Puppet::hold(&processes.gate);
    let dialler = gate.channel_to(&world, &processes.dialler);
    let own: Vec<i32> = vec![0; 250];
    let target = json!({ "literal": "11.6.6.6" });
    for id in 40001..40021 {
        let one = attempt(id, &target, "11.6.6.6:9", 9, "transparent", &json!("opaque"));
        gate.say(dialler, one.as_bytes(), &own).unwrap();
        assert!(gate.answer(dialler).contains("Refused"));
    }
    assert!(count(processes.dialler.pid) <= before + 2, "{before}");
    drop(gate);
    scene::assert_unharmed(&world, running);
}
