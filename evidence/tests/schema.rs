//! Do docs/attestation.md, docs/audit.md and the schemas beside them describe what is written and accepted?

mod changes;
mod json_schema;
mod recorded;

use std::collections::BTreeSet;

use bottle_evidence::audit::{Choice, Decision, Ended, Entry, Line, Outcome, Process, Seen, Torn};
use bottle_evidence::dsse::{self, Envelope};
use bottle_evidence::key::PublicKey;
use bottle_evidence::predicate::{Basis, REQUIRED_FACTS, REQUIRED_PROBES};
use bottle_evidence::statement::Statement;
use bottle_evidence::verify::{Expect, Refusal, bind, verify_attestation, verify_log};
use bottle_evidence::{Digest, canonical, hex, sha256};
use changes::{changes, with};
use json_schema::Schema;
use recorded::Recorder;
use serde_json::{Value, json};

const ATTESTATION: &str = include_str!("../../docs/attestation.md");
const AUDIT: &str = include_str!("../../docs/audit.md");
const EXAMPLE: &[u8] = include_bytes!("../../docs/attestation.example.json");
const PREDICATE_SCHEMA: &str = include_str!("../../docs/attestation.schema.json");
const LINE_SCHEMA: &str = include_str!("../../docs/audit.schema.json");

/// What is between the fences of this kind.
fn block(document: &'static str, kind: &str) -> &'static str {
    let (_, after) = document.split_once(&format!("```{kind}\n")).expect("an example");
    after.split_once("```").unwrap().0
}

fn kinds(log: &[u8]) -> Vec<Value> {
    let kind = |line: Vec<u8>| serde_json::from_slice::<Value>(&line).unwrap()["kind"].take();
    recorded::lines(log).into_iter().map(kind).collect()
}

#[test]
fn the_examples_verify_and_belong_together() {
    let keys = [PublicKey::from_pem(block(AUDIT, "pem")).unwrap()];
    let log = block(AUDIT, "jsonl").as_bytes();
    let report = verify_log(log, &keys, None).unwrap();
    assert_eq!(kinds(log), kinds(&recorded::log()));
    assert_eq!(block(ATTESTATION, "pem"), block(AUDIT, "pem"));
    let verified = verify_attestation(EXAMPLE, &keys, &Expect::at(recorded::ISSUED)).unwrap();
    bind(&verified, &report).unwrap();
    assert_eq!(EXAMPLE, recorded::attestation(), "docs/attestation.example.json is another one");
}

#[test]
fn the_digests_of_the_example_are_right() {
    let payload = Envelope::from_bytes(EXAMPLE).unwrap().verify(dsse::IN_TOTO, &recorded::keys()).unwrap();
    let authenticated = dsse::authenticated(dsse::IN_TOTO, &payload);
    let key = recorded::key().public().id();
    for (of, digest) in [
        ("key (its id)", key),
        ("envelope", sha256(EXAMPLE)),
        ("payload", sha256(&payload)),
        ("pre-authentication encoding", sha256(&authenticated)),
    ] {
        let row = format!("| {of} | `{digest}` |");
        assert!(ATTESTATION.contains(&row), "docs/attestation.md lacks the row {row}");
    }
}

/// One line of each kind, and of each kind of what can be within one.
fn samples() -> Vec<Value> {
    let mut recorder = Recorder::new();
    recorder.run("run-1");
    recorder.add(Entry::Torn(Torn { bytes: 0, sha256: recorded::policy(), unsealed: 0 }));
    recorder.add(recorded::start("run-2"));
    let seen = [
        Seen::Nothing,
        Seen::Tls { sni: None, ech: true },
        Seen::Http { host: Some("a.example".into()), port: Some(80) },
        Seen::Opaque,
        Seen::Unparsable { why: "short".into() },
    ];
    for (attempt, seen) in (1..).zip(seen) {
        let decision = recorded::judged(attempt, "a.example", Choice::Observe);
        let address = "::ffff:1.2.3.4".parse().unwrap();
        let process = if attempt == 1 { Process::UNKNOWN } else { Process::UNSOUGHT };
        recorder.add(Entry::Decision(Decision { seen, address, name: None, process, ..decision }));
    }
    recorder.segment();
    let cut = Outcome { bytes_up: None, bytes_down: None, millis: None, ..recorded::ended(1, Ended::Cut) };
    recorder.add(Entry::Outcome(cut));
    recorded::lines(&recorder.bytes).iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn every_field_and_kind_is_explained() {
    samples().iter().for_each(|line| explained(AUDIT, line));
    explained(ATTESTATION, &serde_json::from_slice(EXAMPLE).unwrap());
    let mut statement = statement();
    statement["predicate"]["facts"].as_object_mut().unwrap().clear();
    explained(ATTESTATION, &statement);
}

/// Whether each field's name, and each kind, stands in the document as `code`.
fn explained(document: &str, value: &Value) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            assert!(document.contains(&format!("`{name}`")), "{name} is not explained");
            if let ("kind" | "protocol", Value::String(kind)) = (name.as_str(), value) {
                assert!(kind == "udp" || document.contains(&format!("`{kind}`")), "{kind} is not explained");
            }
            explained(document, value);
        }),
        Value::Array(items) => items.iter().for_each(|item| explained(document, item)),
        _ => {}
    }
}

#[test]
fn every_required_fact_and_probe_is_listed_with_what_is_demanded_of_it() {
    let schema = Schema::new(PREDICATE_SCHEMA);
    let facts = &schema.define("facts");
    for required in REQUIRED_FACTS {
        let basis = match required.basis {
            Basis::Measured => "measured",
            Basis::Behavioural => "behavioural",
            Basis::Asserted => "asserted",
        };
        let row = format!("| `{}` | {basis} |", required.name);
        assert!(ATTESTATION.contains(&row), "docs/attestation.md lacks the row {row}");
        assert_eq!(facts["properties"][required.name], json!({ "$ref": format!("#/$defs/{basis}") }));
    }
    let listed: BTreeSet<_> = facts["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(listed, REQUIRED_FACTS.iter().map(|required| required.name).collect());
    for required in REQUIRED_PROBES {
        let expected = required.expected.map_or("64 digits `0-9a-f`".to_owned(), |word| format!("`{word}`"));
        let row = format!("| `{}` | {expected} |", required.name);
        assert!(ATTESTATION.contains(&row), "docs/attestation.md lacks the row {row}");
    }
}

#[test]
fn every_refusal_is_listed_with_its_exit_code() {
    for code in 10..=22_u8 {
        let Some(refusal) = REFUSALS.iter().find(|refusal| **refusal as u8 == code) else {
            panic!("there is no refusal {code}");
        };
        let cell = format!("| {code} `{refusal}` |");
        assert!(ATTESTATION.contains(&cell), "docs/attestation.md lacks {cell}");
    }
}

const REFUSALS: [Refusal; 13] = [
    Refusal::Malformed,
    Refusal::WrongKey,
    Refusal::BadSignature,
    Refusal::MissingEgressProxyBinding,
    Refusal::ProbeFailed,
    Refusal::NotYetValid,
    Refusal::Expired,
    Refusal::NonceMismatch,
    Refusal::ModeNotEnforced,
    Refusal::ModeNotObserved,
    Refusal::DigestMismatch,
    Refusal::OtherBoot,
    Refusal::OtherNamespace,
];

fn statement() -> Value {
    serde_json::to_value(Statement::new(recorded::subjects(), recorded::predicate()).unwrap()).unwrap()
}

/// Whether a verifier accepts a statement with this predicate.
fn accepted(predicate: &Value) -> bool {
    let mut statement = statement();
    statement["predicate"] = predicate.clone();
    let payload = canonical::to_bytes(&statement).unwrap();
    let envelope = dsse::sign(&recorded::key(), dsse::IN_TOTO, &payload).to_bytes();
    verify_attestation(&envelope, &recorded::keys(), &Expect::at(recorded::ISSUED)).is_ok()
}

fn read(line: &Value) -> bool {
    canonical::to_bytes(line).is_ok_and(|bytes| Line::from_bytes(&bytes).is_ok())
}

#[test]
fn the_schema_of_a_predicate_and_the_verifier_accept_the_same_forms() {
    let (schema, predicate) = (Schema::new(PREDICATE_SCHEMA), statement()["predicate"].take());
    assert!(schema.fits(&predicate) && accepted(&predicate));
    for changed in changes(&predicate) {
        assert_eq!(schema.fits(&changed), accepted(&changed), "{changed}");
    }
}

#[test]
fn the_schema_of_a_predicate_and_the_verifier_accept_the_same_forms_of_one_that_runs() {
    let schema = Schema::new(PREDICATE_SCHEMA);
    let predicate = serde_json::to_value(recorded::predicate_while_running()).unwrap();
    assert!(schema.fits(&predicate) && accepted(&predicate));
    for changed in changes(&predicate) {
        assert_eq!(schema.fits(&changed), accepted(&changed), "{changed}");
    }
}

#[test]
fn the_schema_of_a_line_and_the_reader_accept_the_same_forms() {
    let schema = Schema::new(LINE_SCHEMA);
    for line in samples() {
        assert!(schema.fits(&line), "{line}");
        for changed in changes(&line) {
            assert_eq!(schema.fits(&changed), read(&changed), "{changed}");
        }
    }
}

#[test]
fn the_schema_demands_each_probe_once_in_each_stage_with_its_expectation() {
    let (schema, predicate) = (Schema::new(PREDICATE_SCHEMA), statement()["predicate"].take());
    let probes = predicate["probes"].as_array().unwrap();
    for (at, probe) in probes.iter().enumerate() {
        let (mut missing, mut repeated, mut other) = (probes.clone(), probes.clone(), probes.clone());
        missing.remove(at);
        repeated.push(probe.clone());
        other[at] = with(&with(probe, "expected", json!("timeout")), "observed", json!("timeout"));
        for wrong in [missing, repeated, other] {
            assert!(!schema.fits(&with(&predicate, "probes", wrong.into())), "{probe}");
        }
    }
}

#[test]
fn keys_for_which_anyone_can_sign_are_listed() {
    let listed: Vec<[u8; 32]> = ATTESTATION.lines().filter_map(hex::decode).collect();
    assert_eq!(listed.len(), 7);
    for bytes in listed {
        let spki = [&hex::decode::<12>("302a300506032b6570032100").unwrap()[..], &bytes].concat();
        let body = <base64ct::Base64 as base64ct::Encoding>::encode_string(&spki);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        let refused = matches!(PublicKey::from_pem(&pem), Err(bottle_evidence::key::KeyError::Weak));
        assert!(refused, "{} is not weak", Digest(bytes));
    }
}
