//! Does SCHEMA.md describe what is written?

mod recorded;

use bottle_evidence::audit::Line;
use bottle_evidence::key::PublicKey;
use bottle_evidence::predicate::{REQUIRED_FACTS, REQUIRED_PROBES};
use bottle_evidence::verify::verify_log;
use serde_json::Value;

const SCHEMA: &str = include_str!("../SCHEMA.md");

fn block(kind: &str) -> &'static str {
    let (_, after) = SCHEMA.split_once(&format!("```{kind}\n")).expect("SCHEMA.md has an example");
    after.split_once("```").unwrap().0
}

fn kinds(log: &[u8]) -> Vec<Value> {
    let kind = |line: Vec<u8>| serde_json::from_slice::<Value>(&line).unwrap()["kind"].take();
    recorded::lines(log).into_iter().map(kind).collect()
}

#[test]
fn the_example_log_verifies_and_has_the_lines_of_a_run() {
    let key = PublicKey::from_pem(block("pem")).unwrap();
    let example = block("jsonl").as_bytes();
    verify_log(example, &[key], None).unwrap();
    assert_eq!(kinds(example), kinds(&recorded::log()));
}

#[test]
fn every_field_and_kind_of_entry_is_explained() {
    let mut mark = recorded::Recorder::new();
    let torn = bottle_evidence::audit::Torn { bytes: 0, sha256: recorded::policy(), unsealed: 0 };
    mark.add(bottle_evidence::audit::Entry::Torn(torn));
    for line in recorded::lines(&[recorded::log(), mark.bytes].concat()) {
        let line = line.trim_ascii_end();
        Line::from_bytes(line).unwrap();
        explained(&serde_json::from_slice(line).unwrap());
    }
    explained(&serde_json::from_slice(&recorded::attestation()).unwrap());
    let statement = bottle_evidence::statement::Statement::new(recorded::subjects(), recorded::predicate());
    let mut statement = serde_json::to_value(statement).unwrap();
    statement["predicate"]["facts"].as_object_mut().unwrap().clear();
    explained(&statement);
}

/// Whether each field's name, and each kind, stands in the document as `code`.
fn explained(value: &Value) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let class = name == "icmp4" || name == "udp4";
            assert!(class || SCHEMA.contains(&format!("`{name}`")), "SCHEMA.md does not explain {name}");
            if let ("kind", Value::String(kind)) = (name.as_str(), value) {
                assert!(SCHEMA.contains(&format!("`{kind}`")), "SCHEMA.md does not explain {kind}");
            }
            explained(value);
        }),
        Value::Array(items) => items.iter().for_each(explained),
        _ => {}
    }
}

#[test]
fn every_required_fact_and_probe_is_listed() {
    let facts = REQUIRED_FACTS.iter().map(|required| required.name);
    for name in facts.chain(REQUIRED_PROBES.iter().map(|required| required.name)) {
        assert!(SCHEMA.contains(&format!("`{name}`")), "SCHEMA.md does not list {name}");
    }
}
