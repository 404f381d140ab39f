//! Does a verifier that somebody else wrote, from docs/attestation.md and docs/audit.md alone, find fault with the same logs, at
//! the same lines?
//!
//! It is in tests/independent, in Python. tests/independent.rs asks it about attestations.

mod changes;
mod forge;
mod recorded;
mod verdicts;

use bottle_evidence::audit::{Choice, Decision, Ended, Entry, Outcome, Process, Seen};
use bottle_evidence::predicate::{Mode, Predicate};
use bottle_evidence::verify::Head;
use bottle_evidence::{Digest, Time, canonical, sha256};
use changes::changes;
use forge::spelled::ADDRESSES;
use forge::{Forge, drawn, rules};
use recorded::{ISSUED, Recorder, attest, attestation, files, lines, log, predicate, two_runs};
use serde_json::{Value, json};
use verdicts::Matrix;

#[test]
fn both_find_the_same_line_wherever_a_log_was_changed() {
    let mut matrix = Matrix::new();
    let (whole, foreign) = (lines(&two_runs()), lines(&foreign()));
    matrix.log("untouched", &whole.concat(), None);
    for at in 0..whole.len() {
        let with = |replaced: usize, by: &[Vec<u8>]| {
            let mut lines = whole.clone();
            lines.splice(at..at + replaced, by.iter().cloned());
            lines.concat()
        };
        let line = &whole[at];
        let swapped: Vec<_> = whole[at..].iter().take(2).rev().cloned().collect();
        matrix.log(format!("line {} deleted", at + 1), &with(1, &[]), None);
        matrix.log(format!("line {} there twice", at + 1), &with(0, std::slice::from_ref(line)), None);
        matrix.log(format!("lines from {} on swapped", at + 1), &with(swapped.len(), &swapped), None);
        matrix.log(format!("an empty line before {}", at + 1), &with(0, &[b"\n".to_vec()]), None);
        matrix.log(format!("a foreign line for {}", at + 1), &with(1, &[foreign[at % foreign.len()].clone()]), None);
        matrix.log(
            format!("a carriage return in line {}", at + 1),
            &with(1, &[[line.trim_ascii_end(), b"\r\n"].concat()]),
            None,
        );
        matrix.log(format!("cut before line {}", at + 1), &whole[..at].concat(), None);
        matrix.log(
            format!("torn in line {}", at + 1),
            &[&whole[..at].concat()[..], &line[..line.len() - 1]].concat(),
            None,
        );
    }
    matrix.agreed();
}

fn foreign() -> Vec<u8> {
    let mut recorder = Recorder::new();
    recorder.run("run-9");
    recorder.bytes
}

#[test]
fn both_find_the_same_line_whatever_was_done_to_the_files_of_a_log() {
    let mut matrix = Matrix::new();
    let whole: Vec<_> = files().into_iter().map(Some).collect();
    matrix.files("untouched", &whole);
    matrix.files("in one", &[Some(files().concat())]);
    for at in 0..whole.len() {
        let with = |replaced: usize, by: &[Option<Vec<u8>>]| {
            let mut files = whole.clone();
            files.splice(at..(at + replaced).min(whole.len()), by.iter().cloned());
            files
        };
        let number = at + 1;
        if at > 0 && number < whole.len() {
            matrix.files(format!("{number} missing"), &with(1, &[None]));
        }
        matrix.files(format!("{number} removed, and those after it renamed"), &with(1, &[]));
        matrix.files(format!("{number} there twice"), &with(0, &[whole[at].clone()]));
        matrix.files(format!("{number} and those after it removed"), &whole[..at.max(1)]);
        matrix.files(format!("{number} empty"), &with(1, &[Some(Vec::new())]));
        matrix.files(format!("another log for {number}"), &with(1, &[Some(log())]));
        let swapped: Vec<_> = whole[at..].iter().take(2).rev().cloned().collect();
        matrix.files(format!("from {number} on swapped"), &with(swapped.len(), &swapped));
        let lines = lines(whole[at].as_ref().unwrap());
        for line in 0..lines.len() {
            matrix.files(format!("{number} cut to {line} lines"), &with(1, &[Some(lines[..line].concat())]));
            let fewer = [&lines[..line], &lines[line + 1..]].concat().concat();
            matrix.files(format!("{number} without line {line}"), &with(1, &[Some(fewer)]));
            let edited = lines.concat().iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == line * 7)).collect();
            matrix.files(format!("{number} edited at byte {}", line * 7), &with(1, &[Some(edited)]));
            let torn = [&lines[..line].concat()[..], &lines[line][..lines[line].len() - 1]].concat();
            matrix.files(format!("{number} torn in line {line}"), &with(1, &[Some(torn)]));
        }
    }
    for (what, number) in
        [("a segment that is none", "0"), ("one that says it is the first", "1"), ("no number", "\"2\"")]
    {
        let mut other = files();
        other[1] = String::from_utf8(other[1].clone())
            .unwrap()
            .replacen("\"number\":2", &format!("\"number\":{number}"), 1)
            .into();
        matrix.files(what, &other.into_iter().map(Some).collect::<Vec<_>>());
    }
    assert!(matrix.agreed().contains(&("untouched".into(), "ok".into())));
}

#[test]
fn both_find_the_same_line_wherever_a_bit_was_flipped_or_a_byte_was_lost() {
    let mut matrix = Matrix::new();
    let whole = two_runs();
    for drawn in drawn(2).take(150) {
        let (at, bit) = ((drawn >> 3) as usize % whole.len(), drawn % 8);
        let mut other = whole.clone();
        other[at] ^= 1 << bit;
        matrix.log(format!("bit {bit} of byte {at} flipped"), &other, None);
        other.remove(at);
        matrix.log(format!("byte {at} lost"), &other, None);
        matrix.log(format!("cut at byte {at}"), &whole[..at], None);
    }
    matrix.agreed();
}

/// One line of each kind, and of each kind of what can be within one.
fn kinds() -> Vec<u8> {
    let mut recorder = Recorder::resume(Default::default(), Vec::new());
    recorder.run("run-1");
    let unsealed = recorder.chain.unsealed();
    let torn = json!({ "kind": "torn", "bytes": 0, "sha256": recorded::policy(), "unsealed": unsealed });
    recorder.add(serde_json::from_value(torn).unwrap());
    recorder.add(recorded::start("run-2"));
    let seen = [
        Seen::Nothing,
        Seen::Http { host: None, port: Some(80) },
        Seen::Opaque,
        Seen::Unparsable { why: "short".into() },
    ];
    for (attempt, seen) in (1..).zip(seen) {
        let decision = recorded::judged(attempt, "a.example", Choice::Observe);
        let address = "2001:db8::1:0:0:1".parse().unwrap();
        let process = if attempt == 1 { Process::UNKNOWN } else { Process::UNSOUGHT };
        recorder.add(Entry::Decision(Decision { seen, address, name: None, process, ..decision }));
    }
    let cut = Outcome { bytes_up: None, bytes_down: None, millis: None, ..recorded::ended(1, Ended::Cut) };
    recorder.add(Entry::Outcome(cut));
    recorder.bytes
}

#[test]
fn both_read_the_same_forms_of_a_line() {
    let mut matrix = Matrix::new();
    let lines = lines(&kinds());
    for (at, line) in lines.iter().enumerate() {
        let value: Value = serde_json::from_slice(line).unwrap();
        let all = changes(&value);
        for other in all.iter().enumerate().filter(|(number, _)| (at + number) % 5 == 0).map(|(_, other)| other) {
            let Ok(bytes) = canonical::to_bytes(other) else { continue };
            matrix.log(
                format!("for line {}: {other}", at + 1),
                &[&lines[..at].concat()[..], &bytes, b"\n"].concat(),
                None,
            );
        }
    }
    matrix.agreed();
}

#[test]
fn both_hold_a_log_to_the_same_rules() {
    let mut matrix = Matrix::new();
    for (what, forged) in rules::all() {
        matrix.log(what, &forged.bytes, None);
        matrix.log(format!("{what}, sealed"), &forged.seal().bytes, None);
    }
    for number in [
        "9007199254740992",
        "9007199254740993",
        "18446744073709550000",
        "18446744073709552000",
        "1.0",
        "-0",
        "1e3",
        "01",
    ] {
        let counted = String::from_utf8(Forge::new().start("run-1").denied("h", 77).bytes).unwrap();
        matrix.log(format!("count {number}"), counted.replace(":77,", &format!(":{number},")).as_bytes(), None);
    }
    for address in ADDRESSES {
        let decision = Forge::new().start("run-1").decision(1, json!({ "address": address }));
        matrix.log(format!("address {address}"), &decision.bytes, None);
    }
    for (what, length) in [("as long as a line may be", 4 << 20), ("too long", (4 << 20) + 1)] {
        matrix.log(what, &vec![b'x'; length], None);
        matrix.log(format!("{what}, with its end"), &[vec![b'x'; length], b"\n".to_vec()].concat(), None);
    }
    matrix.log("empty", b"", None);
    let said = matrix.agreed();
    for good in ["sums", "more hosts than rows", "a second run", "torn after a sealed end"] {
        assert!(said.contains(&(format!("{good}, sealed"), "ok".into())), "{good}");
    }
    let accounted = ["opened and accounted for", "another class more", "a gate that says more than was opened"];
    for (what, _) in rules::openings() {
        let verdict = if accounted.contains(&what) { "ok" } else { "line 4" };
        assert!(said.contains(&(format!("{what}, sealed"), verdict.into())), "{what}");
    }
}

#[test]
fn both_let_a_run_go_on_with_a_key_that_was_retired_meanwhile_and_none_begin() {
    let whole = two_runs();
    let starts: Vec<Time> = lines(&whole)
        .iter()
        .map(|line| serde_json::from_slice::<Value>(line).unwrap())
        .filter(|line| line["kind"] == "run.start")
        .map(|line| line["time"].as_str().unwrap().parse().unwrap())
        .collect();
    let [first, second] = starts[..] else { panic!("{starts:?}") };
    let before = |time: Time| Time::from_micros(time.micros() - 1);
    let start_of_second = lines(&whole).len() / 2 + 1;
    for (retired, expected) in [
        (second, "ok".to_owned()),
        (before(second), format!("line {}", start_of_second + 1)),
        (first, format!("line {}", start_of_second + 1)),
        (before(first), "line 2".to_owned()),
    ] {
        let mut matrix = Matrix::with_keys(vec![recorded::key().public().clone().retired_at(retired)]);
        matrix.log("two runs", &whole, None);
        let torn = json!({ "bytes": 0, "sha256": Digest::ZERO, "time": second, "unsealed": 0 });
        let torn = Forge::new().start("a").seal().line("torn", torn).seal();
        matrix.log("a run that was torn later", &torn.bytes, None);
        let said = matrix.agreed();
        let torn = if retired == second { "line 1" } else { "line 4" };
        assert_eq!((&said[0].1, said[1].1.as_str()), (&expected, torn), "{retired}");
    }
}

#[test]
fn both_look_for_a_head_that_someone_has_seen() {
    let mut matrix = Matrix::new();
    let whole = log();
    for (seq, line) in (1..).zip(lines(&whole)) {
        let hash = sha256(line.trim_ascii_end());
        matrix.log(format!("the head {seq}"), &whole, Some(Head { seq, hash }));
        matrix.log(format!("another head {seq}"), &whole, Some(Head { seq, hash: Digest::ZERO }));
    }
    for (seq, hash) in [(0, Digest::ZERO), (14, Digest::ZERO), (u64::MAX, Digest::ZERO)] {
        matrix.log(format!("no such head {seq}"), &whole, Some(Head { seq, hash }));
        matrix.log(
            format!("no such head {seq} of a log without its end"),
            &Forge::new().start("a").bytes,
            Some(Head { seq, hash }),
        );
        matrix.log(format!("the head {seq} of nothing"), b"", Some(Head { seq, hash }));
    }
    matrix.agreed();
}

#[test]
fn both_accept_the_examples_of_the_documents() {
    let mut matrix = Matrix::new();
    let (_, after) = include_str!("../../docs/audit.md").split_once("```jsonl\n").unwrap();
    let (log, _) = after.split_once("```").unwrap();
    matrix.bound("the examples", log.as_bytes(), include_bytes!("../../docs/attestation.example.json"));
    assert_eq!(matrix.agreed(), [("the examples".to_owned(), "ok".to_owned())]);
}

/// Attestations that a run was given while it went on, and lines that name them wrongly.
fn renewals(matrix: &mut Matrix) {
    let good = recorded::renewed_attestation();
    matrix.bound("attested again", &log(), &good);
    matrix.bound("attested again in two runs", &two_runs(), &good);
    let line = |attestation: &[u8], nonce: Digest| json!({ "attestation": sha256(attestation), "nonce": nonce });
    let named = |attestation: &[u8], nonce| {
        let log = Forge::new().start("run-1").line("run.renew", line(attestation, nonce));
        log.end(json!([])).seal().bytes
    };
    matrix.bound("attested again for another nonce", &named(&good, Digest::ZERO), &good);
    matrix.bound(
        "one of a start, named as of a bottle that runs",
        &named(&attestation(), recorded::nonce()),
        &attestation(),
    );
    let started = |attestation: &[u8]| {
        let start = serde_json::to_value(recorded::run_start("run-1")).unwrap();
        let start = changes::with(&start, "attestation", json!(sha256(attestation)));
        Forge::new().start_with(start).end(json!([])).seal().bytes
    };
    matrix.bound("one of a bottle that runs, named as of a start", &started(&good), &good);
    type Change = fn(&mut Predicate);
    let changes: [(&str, Change); 4] = [
        ("run", |p| p.run = "run-2".into()),
        ("mode", |p| p.mode = Mode::Observe),
        ("identity", |p| p.facts.get_mut("workload.identity").unwrap().value = json!({ "pid": 1, "start": 1 })),
        ("moment", |p| p.issued = p.expires),
    ];
    for (what, change) in changes {
        let mut changed = recorded::predicate_while_running();
        change(&mut changed);
        let (nonce, changed) = (changed.nonce, attest(changed));
        matrix.bound(format!("attested again with another {what}"), &named(&changed, nonce), &changed);
    }
}

#[test]
fn both_bind_an_attestation_to_the_same_run() {
    let mut matrix = Matrix::new();
    let good = attestation();
    matrix.bound("its own log", &log(), &good);
    matrix.bound("a log in which two runs name it", &two_runs(), &good);
    matrix.bound("a broken log", &log()[1..], &good);
    matrix.bound("no attestation", &log(), b"{}");
    renewals(&mut matrix);
    let start = serde_json::to_value(recorded::run_start("run-1")).unwrap();
    let first = changes::with(&changes::with(&start, "run", json!("first")), "attestation", json!(Digest::ZERO));
    let (early, late) = (bottle_evidence::Time::from_micros(ISSUED.micros() - 1), predicate().expires);
    for (member, value) in [
        ("run", json!("run-2")),
        ("mode", json!("observe")),
        ("policy", json!(Digest::ZERO)),
        ("workload", json!({ "pid": 4242, "start": 1 })),
        ("workload", json!({ "pid": 1, "start": 987_654 })),
        ("attestation", json!(Digest::ZERO)),
        ("time", json!(early)),
        ("time", json!(late)),
    ] {
        let log =
            Forge::new().start_with(first.clone()).end(json!([])).start_with(changes::with(&start, member, value));
        let log = log.end(json!([])).seal();
        matrix.bound(format!("another {member}"), &log.bytes, &good);
    }
    for identity in [
        json!({ "pid": 4242, "start": 987_654, "x": 1 }),
        json!(1),
        json!([]),
        json!({ "pid": true, "start": 987_654 }),
    ] {
        let mut other = predicate();
        other.facts.get_mut("workload.identity").unwrap().value = identity.clone();
        let other = attest(other);
        let start = changes::with(&start, "attestation", json!(sha256(&other)));
        matrix.bound(
            format!("the identity {identity}"),
            &Forge::new().start_with(start).end(json!([])).seal().bytes,
            &other,
        );
    }
    let said = matrix.agreed();
    for (what, expected) in [
        ("its own log", "ok"),
        ("attested again", "ok"),
        ("attested again for another nonce", "attestation: it has another nonce"),
        ("another time", "attestation: NotYetValid"),
        ("another time", "attestation: Expired"),
    ] {
        assert!(said.contains(&(what.into(), expected.into())), "{what}");
    }
}
