//! Logs that break a rule in their last line, or that no writer leaves so; and some that are good.

use bottle_evidence::canonical::MAX_INTEGER;
use bottle_evidence::{Digest, sha256};
use serde_json::{Value, json};

use super::Forge;
use crate::{changes, recorded};

/// All of them.
pub fn all() -> Vec<(&'static str, Forge)> {
    [tears(), runs(), attempts(), ends(), openings(), vec![("sums", rows()), ("more hosts than rows", others())]]
        .concat()
}

/// Which runs end where, and what of it was sealed when the writer died.
fn tears() -> Vec<(&'static str, Forge)> {
    let log = Forge::new;
    let run = |log: Forge, id: &str| log.start(id).end(json!([]));
    vec![
        ("torn alone", log().torn(0)),
        ("torn, miscounted", log().torn(1)),
        ("torn within a run", log().start("a").seal().torn(0)),
        ("torn after an end", run(log(), "a").torn(2)),
        ("torn after a sealed end", run(log(), "a").seal().torn(0)),
        ("a seal counts as unsealed", run(log(), "a").seal().torn(1)),
        ("torn after two unsealed ends", run(run(log(), "a"), "b").torn(4)),
        ("torn after a sealed and an unsealed end", run(run(log(), "a").seal(), "b").torn(2)),
        ("torn after an unsealed end within a run", run(log(), "a").start("b").torn(3)),
        ("torn twice after an unsealed end", run(log(), "a").torn(2).torn(3)),
        ("torn, and a run after it", run(log().start("a").seal().torn(0).seal(), "b")),
        ("a line of a run after torn", log().start("a").torn(1).decision(1, json!({}))),
    ]
}

fn runs() -> Vec<(&'static str, Forge)> {
    let run = || Forge::new().start("a").end(json!([]));
    vec![
        ("a seal first", Forge::new().seal()),
        ("a seal after a seal", run().seal().seal()),
        ("a run that began already", run().start("a")),
        ("a run within a run", Forge::new().start("a").start("b")),
        ("a second run", run().start("b").end(json!([]))),
        ("a second run without its end", run().start("b")),
        ("outside of a run", Forge::new().line("run.exec", json!({ "command": [], "user": "" }))),
        ("attested again outside of a run", renewed(run(), "a")),
        ("attested again", renewed(Forge::new().start("a"), "a").end(json!([]))),
        ("attested again by what was named", renewed(renewed(Forge::new().start("a"), "a"), "a").end(json!([]))),
        ("attested again after a drift", renewed(drifted(Forge::new().start("a")), "a")),
        (
            "attested again after the drift of another run",
            renewed(drifted(Forge::new().start("a")).end(json!([])).start("b"), "b"),
        ),
        ("another kind", run().line("run.pause", json!({}))),
        ("another seq", run().line("torn", json!({ "bytes": 0, "seq": 9, "sha256": Digest::ZERO, "unsealed": 2 }))),
        (
            "another prev",
            run().line("torn", json!({ "bytes": 0, "prev": Digest::ZERO, "sha256": Digest::ZERO, "unsealed": 2 })),
        ),
        (
            "a wrong seal",
            run().line("seal", json!({ "key": recorded::key().public().id(), "signature": "0".repeat(128) })),
        ),
        ("a stranger's seal", run().line("seal", json!({ "key": Digest::ZERO, "signature": "0".repeat(128) }))),
        ("a text that is as long as one may be", Forge::new().start(&"é".repeat(128)).end(json!([]))),
        ("a text that is too long", Forge::new().start_with(long_run())),
    ]
}

fn renewed(log: Forge, attestation: &str) -> Forge {
    log.line("run.renew", json!({ "attestation": sha256(attestation.as_bytes()), "nonce": Digest::ZERO }))
}

fn drifted(log: Forge) -> Forge {
    log.line("drift", json!({ "what": "route", "detail": "" }))
}

fn long_run() -> Value {
    changes::with(&serde_json::to_value(recorded::run_start("a")).unwrap(), "run", "é".repeat(129).into())
}

fn attempts() -> Vec<(&'static str, Forge)> {
    let decided = || Forge::new().start("a").decision(1, json!({}));
    let unknown = json!({ "bytes_up": null, "bytes_down": null, "millis": null });
    let cut = changes::with(&unknown, "result", json!("cut"));
    vec![
        ("an attempt decided twice", decided().decision(1, json!({}))),
        ("decided by another policy", decided().decision(2, json!({ "policy": Digest::ZERO }))),
        ("an outcome of nothing", decided().outcome(2, json!({}))),
        ("two outcomes", decided().outcome(1, json!({})).outcome(1, json!({}))),
        ("no amounts", decided().outcome(1, unknown)),
        ("no amounts of a cut", decided().outcome(1, cut)),
        ("some amounts of a cut", decided().outcome(1, json!({ "millis": null, "result": "cut" }))),
    ]
}

fn ends() -> Vec<(&'static str, Forge)> {
    let end = |changed: Value| Forge::new().start("a").end_with(changed);
    vec![
        ("a count", end(json!({ "count": 0 }))),
        ("a head", end(json!({ "head": Digest::ZERO }))),
        ("a command", end(json!({ "command": [] }))),
        ("a row too many", end(json!({ "hosts": [row("h", json!({}))] }))),
        ("an exit", end(json!({ "exit": 256 }))),
        ("a class that nobody knows", end(json!({ "refused": { "\n": 1 } }))),
        ("a class that is too long", end(json!({ "refused": { "x".repeat(257): 1 } }))),
        ("classes alone", end(json!({ "refused": { "flood": 7 } }))),
        ("undecided alone, as earlier builds wrote it", end(json!({ "refused": { "undecided": 7 } }))),
    ]
}

/// Runs with two decisions whose end says what became of the packets that opened a connection.
pub fn openings() -> Vec<(&'static str, Forge)> {
    let counts = json!({ "answered": 3, "flood": 5, "opened": 24, "udp4": 99, "undecided": 7, "unheard": 7 });
    let end = |refused: Value| {
        let run = Forge::new().start("a").decision(1, json!({ "name": "h" })).decision(2, json!({ "name": "h" }));
        let hosts = json!([row("h", json!({ "connections": 2, "port": 443 }))]);
        run.end_with(json!({ "hosts": hosts, "refused": refused }))
    };
    let with = |name: &str, count: u64| end(changes::with(&counts, name, count.into()));
    let without = |name: &str| {
        let mut fewer = counts.clone();
        fewer.as_object_mut().unwrap().remove(name);
        end(fewer)
    };
    let lying = |answered: u64, undecided: u64| {
        end(
            json!({ "answered": answered, "flood": MAX_INTEGER, "opened": 9, "undecided": undecided, "unheard": MAX_INTEGER }),
        )
    };
    vec![
        ("opened and accounted for", end(counts.clone())),
        ("one answered more", with("answered", 4)),
        ("one answered fewer", with("answered", 2)),
        ("one undecided more", with("undecided", 8)),
        ("one opened more", with("opened", 25)),
        ("one opened fewer", with("opened", 23)),
        ("one of a flood more", with("flood", 6)),
        ("one unheard fewer", with("unheard", 6)),
        ("another class more", with("udp4", 100)),
        ("nothing answered", without("answered")),
        ("nothing opened", without("opened")),
        ("nothing undecided", without("undecided")),
        ("no flood", without("flood")),
        ("a gate that says more than was opened", lying(MAX_INTEGER, 0)),
        ("a gate that says more than was opened, and more is undecided", lying(MAX_INTEGER, 1)),
    ]
}

fn row(name: &str, changed: Value) -> Value {
    let mut row = json!({ "bytes_down": 0, "bytes_up": 0, "connections": 0, "decision": "allow", "denied": 0, "millis": 0, "name": name, "port": null });
    row.as_object_mut().unwrap().append(&mut changed.as_object().unwrap().clone());
    row
}

/// A run whose rows take every rule: grave decisions, ports, refusals after all, and sums beyond what a line can carry.
fn rows() -> Forge {
    Forge::new()
        .start("a")
        .denied("h", MAX_INTEGER)
        .decision(1, json!({ "name": "h", "decision": "escalate" }))
        .decision(2, json!({ "name": "h", "decision": "deny", "port": 80 }))
        .decision(3, json!({ "name": null, "decision": "observe" }))
        .outcome(1, json!({ "result": "refused", "bytes_up": MAX_INTEGER }))
        .outcome(2, json!({ "result": "refused", "bytes_up": MAX_INTEGER }))
        .outcome(3, json!({ "result": "refused" }))
        .denied("h", 0)
        .end(json!([
            row("h", json!({ "bytes_down": 4, "bytes_up": MAX_INTEGER, "connections": 2, "decision": "deny", "denied": MAX_INTEGER, "millis": 6 })),
            row("28.7.1.2", json!({ "bytes_down": 2, "bytes_up": 1, "connections": 1, "decision": "deny", "denied": 1, "millis": 3, "port": 443 })),
        ]))
}

/// More hosts than there are rows, and one that has the name of the last row.
fn others() -> Forge {
    let first = Forge::new().start("a").decision(7, json!({ "name": "(others)", "port": 1 }));
    let many = (0..1023).fold(first, |log, number| log.denied(&number.to_string(), 1));
    let log = many.decision(8, json!({ "name": "over" })).denied("(others)", 3).outcome(7, json!({})).denied("5", 1);
    let mut hosts =
        vec![row("(others)", json!({ "bytes_down": 2, "bytes_up": 1, "connections": 1, "millis": 3, "port": 1 }))];
    hosts.extend(
        (0..1023).map(|number| {
            row(&number.to_string(), json!({ "decision": "deny", "denied": 1 + u64::from(number == 5) }))
        }),
    );
    hosts.push(row("(others)", json!({ "connections": 1, "decision": "deny", "denied": 3, "port": 443 })));
    log.end(hosts.into())
}
