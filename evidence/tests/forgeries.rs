//! Which forgeries are there, and as what is each refused? The one table; `forged.rs` and `tamper.rs` have the cases of each kind.

mod recorded;

use bottle_evidence::audit::{Entry, LogProblem, OrderError};
use bottle_evidence::dsse::{Envelope, EnvelopeError};
use bottle_evidence::key::SigningKey;
use bottle_evidence::predicate::{AGENT_NAMESPACE, BOOT_ID, Fact, Predicate, Stage};
use bottle_evidence::statement::Statement;
use bottle_evidence::verify::{BindingError, Expect, Living, Refusal, bind, examine_log, verify_attestation};
use bottle_evidence::{Digest, Time, canonical, dsse, sha256};
use recorded::{Recorder, attest, key, keys, nonce, predicate, subjects, time, workload};
use serde_json::{Value, json};

const BOOT: &str = "85e7568d-b530-48b6-a1f9-8212cc135334";
const OTHER_BOOT: &str = "0b5f3a52-7f2e-4c11-9d57-0c2a8f3ce7f1";

/// An attestation of a bottle that lives, made on this boot.
fn genuine() -> Predicate {
    let mut predicate = predicate();
    let mut measured =
        |name: &str, value: Value| drop(predicate.facts.insert(name.into(), Fact::measured("read", value)));
    measured(BOOT_ID, json!(BOOT));
    measured(AGENT_NAMESPACE, json!({ "cookie": "38670", "inode": 4_026_532_179_u64, "owner": 4_026_531_837_u64 }));
    measured("gate.ruleset", json!({ "generation": 2, "rules": { "rules": ["drop"] }, "sha256": sha256(b"drop") }));
    predicate
}

/// Who verifies it stands before that bottle, has given the nonce, and trusts the host's key.
fn here() -> Expect {
    Expect {
        nonce: Some(nonce()),
        boot: Some(BOOT.parse().unwrap()),
        living: Some(Living { workload: workload(), network: 4_026_532_179 }),
        ..Expect::at(time(1_800_000_060))
    }
}

/// What is said of these bytes by who expects this.
fn refused(what: &str, envelope: &[u8], expect: &Expect, as_what: &[Refusal]) {
    match verify_attestation(envelope, &keys(), expect) {
        Ok(_) => panic!("{what} is accepted"),
        Err(error) => assert!(as_what.contains(&error.refusal()), "{what}: {} ({error})", error.refusal()),
    }
}

fn changed(change: impl FnOnce(&mut Predicate)) -> Vec<u8> {
    let mut changed = genuine();
    change(&mut changed);
    attest(changed)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The payload, with a text in it exchanged, signed rightly.
fn signed_with(from: &str, to: &str) -> Vec<u8> {
    let payload = text(&canonical::to_bytes(&Statement::new(subjects(), genuine()).unwrap()).unwrap());
    assert!(payload.contains(from));
    dsse::sign(&key(), dsse::IN_TOTO, payload.replacen(from, to, 1).as_bytes()).to_bytes()
}

/// The same, under the signature of what it was before.
fn unsigned_with(change: impl FnOnce(&mut Predicate)) -> Vec<u8> {
    let mut envelope = Envelope::from_bytes(&attest(genuine())).unwrap();
    envelope.payload = Envelope::from_bytes(&changed(change)).unwrap().payload;
    envelope.to_bytes()
}

#[test]
fn the_genuine_one_is_accepted() {
    verify_attestation(&attest(genuine()), &keys(), &here()).unwrap();
}

#[test]
fn each_forgery_is_refused_by_its_own_name() {
    let own = attest(genuine());
    let held_against = |workload, network| Expect { living: Some(Living { workload, network }), ..here() };
    let (mut reused, mut later) = (workload(), workload());
    reused.start += 1;
    later.pid += 1;
    let stranger =
        Statement::new(subjects(), genuine()).unwrap().sign(&SigningKey::from_seed([8; 32])).unwrap().to_bytes();
    let at = |now: Time| Expect { now, ..here() };
    #[rustfmt::skip]
    let table: Vec<(&str, Vec<u8>, Expect, Refusal)> = vec![
        ("replayed in another namespace", own.clone(), held_against(workload(), 4_026_532_180), Refusal::OtherNamespace),
        ("replayed for another process", own.clone(), held_against(later, 4_026_532_179), Refusal::OtherNamespace),
        ("replayed when ids came around", own.clone(), held_against(reused, 4_026_532_179), Refusal::OtherNamespace),
        ("of a namespace without a number", changed(|p| p.facts.get_mut(AGENT_NAMESPACE).unwrap().value = json!({})), here(), Refusal::OtherNamespace),
        ("replayed on another boot", own.clone(), Expect { boot: Some(OTHER_BOOT.parse().unwrap()), ..here() }, Refusal::OtherBoot),
        ("of a boot that is none", changed(|p| p.facts.get_mut(BOOT_ID).unwrap().value = json!(7)), here(), Refusal::OtherBoot),
        ("replayed after it expired", own.clone(), at(genuine().expires), Refusal::Expired),
        ("of the future", own.clone(), at(time(1_799_999_999)), Refusal::NotYetValid),
        ("replayed to another verifier", own.clone(), Expect { nonce: Some(sha256(b"other")), ..here() }, Refusal::NonceMismatch),
        ("a start's, said to be of now", unsigned_with(|p| p.stage = Stage::Running), here(), Refusal::BadSignature),
        ("of now, said to be a start's", attest(Predicate { stage: Stage::Start, nonce: nonce(), ..recorded::predicate_while_running() }), here(), Refusal::MissingEgressProxyBinding),
        ("fields reordered", signed_with(r#""basis":"measured","how":"read""#, r#""how":"read","basis":"measured""#), here(), Refusal::Malformed),
        ("a field duplicated", signed_with(r#""stage":"start""#, r#""stage":"start","stage":"start""#), here(), Refusal::Malformed),
        ("a field duplicated otherwise", signed_with(r#""stage":"start""#, r#""stage":"running","stage":"start""#), here(), Refusal::Malformed),
        ("two payloads, one signature", unsigned_with(|p| p.run = "run-2".into()), here(), Refusal::BadSignature),
        ("a rule added after signing", unsigned_with(|p| p.facts.get_mut("gate.ruleset").unwrap().value["rules"]["rules"] = json!(["drop", "accept"])), here(), Refusal::BadSignature),
        ("a probe missing", changed(|p| drop(p.probes.remove(3))), here(), Refusal::MissingEgressProxyBinding),
        ("a probe that failed left in", changed(|p| p.probes[3].held = false), here(), Refusal::ProbeFailed),
        ("a key of another host", stranger, here(), Refusal::WrongKey),
    ];
    for (what, envelope, expect, as_what) in table {
        refused(what, &envelope, &expect, &[as_what]);
    }
}

#[test]
fn every_flipped_byte_and_every_flipped_bit_of_some_is_refused() {
    let own = attest(genuine());
    let any = [Refusal::Malformed, Refusal::WrongKey, Refusal::BadSignature];
    for at in 0..own.len() {
        for bit in if at % 97 == 0 { 0..8 } else { at % 8..at % 8 + 1 } {
            let mut flipped = own.clone();
            flipped[at] ^= 1 << bit;
            refused(&format!("bit {bit} of byte {at} flipped"), &flipped, &here(), &any);
        }
    }
}

/// What is said of this attestation and a log whose one run names this digest.
fn bound(attestation: &[u8], names: Digest, id: &str) -> Result<(), BindingError> {
    let mut recorder = Recorder::new();
    let start = bottle_evidence::audit::RunStart { attestation: names, ..recorded::run_start(id) };
    recorder.add(Entry::RunStart(start));
    recorder.seal();
    let log = examine_log(&recorder.bytes[..], &keys(), None).unwrap();
    let verified = verify_attestation(attestation, &keys(), &Expect::at(time(1_800_000_060))).unwrap();
    bind(&verified, &log).map(drop)
}

#[test]
fn a_statement_of_one_run_with_the_log_of_another_is_refused() {
    let own = attest(genuine());
    assert_eq!(bound(&own, sha256(&own), "run-1"), Ok(()));
    assert_eq!(bound(&own, sha256(b"another"), "run-1"), Err(BindingError::NoRun));
    assert_eq!(bound(&own, sha256(&own), "run-2"), Err(BindingError::OtherRun));
    let now = attest(recorded::predicate_while_running());
    assert_eq!(bound(&now, sha256(&now), "run-1"), Err(BindingError::OtherStage));
}

#[test]
fn a_binding_that_held_no_more_is_not_attested_again() {
    let renewed = serde_json::to_value(recorded::renewed()).unwrap();
    let mut recorder = Recorder::new();
    recorder.add(recorded::start("run-1"));
    recorder
        .add(Entry::Drift(bottle_evidence::audit::Drift { what: "ruleset".into(), detail: "a rule was added".into() }));
    let line = json!({ "attestation": renewed["attestation"], "kind": "run.renew", "nonce": renewed["nonce"],
        "prev": recorder.chain.head(), "seq": 3, "time": time(1_800_000_030) });
    recorder.bytes.extend(canonical::to_bytes(&line).unwrap());
    recorder.bytes.push(b'\n');
    let error = examine_log(&recorder.bytes[..], &keys(), None).unwrap_err();
    assert_eq!((error.line, &error.what), (3, &LogProblem::Order(OrderError::RenewedAfterDrift)));
}

/// Byte for byte, since none is like another.
#[test]
fn an_envelope_with_the_signature_of_another_is_refused() {
    let mut envelope = Envelope::from_bytes(&attest(genuine())).unwrap();
    envelope.signatures = Envelope::from_bytes(&recorded::attestation()).unwrap().signatures;
    let bad = verify_attestation(&envelope.to_bytes(), &keys(), &here()).unwrap_err();
    assert!(matches!(bad, bottle_evidence::verify::VerifyError::Envelope(EnvelopeError::BadSignature(_))), "{bad}");
}
