//! Does a verifier that somebody else wrote, from docs/audit.md alone, refuse the same exports, for the same reason?

mod changes;
mod forge;
mod recorded;
mod verdicts;

use bottle_evidence::dsse::{self, Envelope};
use bottle_evidence::incident::{INCIDENT, Incident, lines_of};
use bottle_evidence::key::SigningKey;
use bottle_evidence::{Time, canonical};
use changes::{changes, with};
use forge::{Forge, drawn};
use recorded::{ISSUED, Recorder, attest, attestation, key, log, predicate, renewed_attestation, time, two_runs};
use serde_json::{Value, json};
use verdicts::Matrix;

/// When the export of these tests was made.
const EXPORTED: Time = time(1_800_000_100);

fn of(log: &[u8]) -> Value {
    let envelope = |bytes: &[u8]| Some(Envelope::from_bytes(bytes).unwrap());
    let (attestation, renewed) = (envelope(&attestation()).unwrap(), envelope(&renewed_attestation()));
    let log = lines_of(log, None).unwrap();
    let whole = Incident { exported: EXPORTED, attestation, renewed, policy: "policy".into(), log };
    serde_json::to_value(whole).unwrap()
}

fn lines(log: &[u8]) -> Value {
    String::from_utf8(log.to_vec()).unwrap().lines().collect()
}

fn signed_by(key: &SigningKey, export: &Value) -> Vec<u8> {
    dsse::sign(key, INCIDENT, &canonical::to_bytes(export).unwrap()).to_bytes()
}

fn signed(export: &Value) -> Vec<u8> {
    signed_by(&key(), export)
}

#[test]
fn both_accept_what_is_exported() {
    let mut matrix = Matrix::new();
    matrix.export("a run that is over", &signed(&of(&log())));
    let mut alone = of(&log());
    alone.as_object_mut().unwrap().remove("renewed");
    matrix.export("without what it was attested by since", &signed(&alone));
    let mut later = Recorder::new();
    later.run("run-0");
    later.run("run-1");
    matrix.export("a later run of a log", &signed(&of(&later.bytes)));
    assert!(matrix.agreed().iter().all(|(_, said)| said == "ok"));
}

#[test]
fn both_refuse_the_same_forms() {
    let mut matrix = Matrix::new();
    let whole = of(&log());
    for changed in changes(&whole) {
        matrix.export(format!("{changed}"), &signed(&changed));
    }
    matrix.agreed();
}

#[test]
fn both_refuse_the_same_lines() {
    let mut matrix = Matrix::new();
    let whole = of(&log());
    let all = whole["log"].as_array().unwrap().clone();
    let mut case = |what: String, lines: Vec<Value>| matrix.export(what, &signed(&with(&whole, "log", lines.into())));
    for at in 0..all.len() {
        case(format!("without line {at}"), [&all[..at], &all[at + 1..]].concat());
        case(format!("line {at} there twice"), [&all[..=at], &all[at..]].concat());
        case(format!("up to line {at}"), all[..at].to_vec());
        case(format!("from line {at}"), all[at..].to_vec());
        let edited = all[at].as_str().unwrap().replacen("2027", "2028", 1);
        case(format!("line {at} changed"), [&all[..at], &[json!(edited)], &all[at + 1..]].concat());
    }
    matrix.export("two runs", &signed(&with(&whole, "log", lines(&two_runs()))));
    matrix.agreed();
}

#[test]
fn both_demand_that_the_lines_begin_with_the_run() {
    let mut matrix = Matrix::new();
    let start = || serde_json::to_value(recorded::run_start("run-1")).unwrap();
    let ended = |forge: Forge| forge.start_with(start()).end(json!([])).seal().bytes;
    let mut case = |what: &str, log: &[u8]| {
        let mut export = with(&of(&log_of_one()), "log", lines(log));
        export.as_object_mut().unwrap().remove("renewed");
        matrix.export(what, &signed(&export));
    };
    case("nothing before it", &ended(Forge::new()));
    case("a tear before it", &ended(Forge::new().torn(0).seal()));
    for number in [0, 1, 2, 7] {
        let segment = |forge: Forge, number: u64| forge.line("segment", json!({ "number": number })).seal();
        case(&format!("segment {number} before it"), &ended(segment(Forge::new(), number)));
        let within = segment(Forge::new().start_with(start()).seal(), number);
        case(&format!("segment {number} within it"), &within.clone().end(json!([])).seal().bytes);
        for next in [number, number + 1] {
            let again = segment(within.clone(), next).end(json!([])).seal();
            case(&format!("segments {number} and {next} within it"), &again.bytes);
        }
    }
    let said = matrix.agreed();
    let of = |what: &str| said.iter().find(|(case, _)| case == what).unwrap().1.as_str();
    assert_eq!(of("nothing before it"), "ok");
    assert_eq!(of("a tear before it"), "export: one run");
    assert_eq!(of("segment 2 before it"), "export: one run");
    assert_eq!((of("segment 1 within it"), of("segments 7 and 8 within it")), ("export: log", "ok"));
}

fn log_of_one() -> Vec<u8> {
    Forge::new().start("run-1").end(json!([])).seal().bytes
}

#[test]
fn both_refuse_what_does_not_belong_together() {
    let mut matrix = Matrix::new();
    let whole = of(&log());
    let mut case = |what: &str, member: &str, value: Value| matrix.export(what, &signed(&with(&whole, member, value)));
    case("another policy", "policy", json!("policy "));
    case("the start's attestation again", "renewed", whole["attestation"].clone());
    case("the later attestation as that of the start", "attestation", whole["renewed"].clone());
    let mut other = predicate();
    other.expires = ISSUED;
    let never: Value = serde_json::from_slice(&attest(other)).unwrap();
    case("one that was never valid", "attestation", never.clone());
    case("one that was never valid later", "renewed", never);
    case("no signature", "attestation", with(&whole["attestation"], "signatures", json!([])));
    case("another type", "attestation", with(&whole["attestation"], "payloadType", json!(INCIDENT)));
    matrix.export("another key", &signed_by(&SigningKey::from_seed([8; 32]), &whole));
    matrix.export("an attestation in its place", &attestation());
    let bytes = signed(&whole);
    for drawn in drawn(5).take(40) {
        let (at, bit) = ((drawn >> 3) as usize % bytes.len(), drawn % 8);
        let mut other = bytes.clone();
        other[at] ^= 1 << bit;
        matrix.export(format!("bit {bit} of byte {at} flipped"), &other);
    }
    assert!(matrix.agreed().iter().all(|(_, said)| said != "ok"));
}

#[test]
fn both_refuse_what_a_key_exported_after_its_retirement() {
    for (retired, expected) in [(EXPORTED, "ok"), (Time::from_micros(EXPORTED.micros() - 1), "export: retired")] {
        let mut matrix = Matrix::with_keys(vec![key().public().clone().retired_at(retired)]);
        matrix.export("a run that is over", &signed(&of(&log())));
        assert_eq!(matrix.agreed()[0].1, expected);
    }
}
