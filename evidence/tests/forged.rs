//! Is every attestation refused that is not as it should be, each for its own reason?

mod recorded;

use std::time::Duration;

use base64ct::{Base64, Encoding};
use bottle_evidence::audit::{Entry, RunRenew};
use bottle_evidence::canonical::ReadError;
use bottle_evidence::dsse::{self, Envelope, EnvelopeError, IN_TOTO};
use bottle_evidence::key::SigningKey;
use bottle_evidence::predicate::{Basis, Fact, Mode, Predicate, REQUIRED_FACTS, REQUIRED_PROBES, Stage};
use bottle_evidence::statement::Statement;
use bottle_evidence::verify::{BindingError, Expect, LogReport, VerifyError, bind, examine_log, verify_attestation};
use bottle_evidence::{Digest, Time, canonical, sha256};
use recorded::{ISSUED, Recorder, attest, attestation, key, keys, nonce, policy, predicate, subjects, time};

fn expect() -> Expect {
    Expect {
        max_age: Some(Duration::from_secs(600)),
        nonce: Some(nonce()),
        mode: Some(Mode::Enforce),
        policy: Some(policy()),
        image: Some(subjects().image),
        binary: Some(subjects().binary),
        ..Expect::at(time(1_800_000_060))
    }
}

fn refusal(envelope: &[u8]) -> VerifyError {
    verify_attestation(envelope, &keys(), &expect()).expect_err("a forged attestation passed")
}

/// What is said of a predicate that was changed and then signed by the right key.
fn refusal_of(change: impl FnOnce(&mut Predicate)) -> VerifyError {
    let mut changed = predicate();
    change(&mut changed);
    refusal(&attest(changed))
}

fn refusal_when(change: impl FnOnce(&mut Expect)) -> VerifyError {
    let mut other = expect();
    change(&mut other);
    verify_attestation(&attestation(), &keys(), &other).expect_err("an unexpected attestation passed")
}

fn payload() -> Vec<u8> {
    canonical::to_bytes(&Statement::new(subjects(), predicate()).unwrap()).unwrap()
}

/// An envelope around any payload, rightly signed.
fn signed(payload: &[u8]) -> Vec<u8> {
    dsse::sign(&key(), IN_TOTO, payload).to_bytes()
}

#[test]
fn an_attestation_as_expected_passes() {
    let envelope = attestation();
    let verified = verify_attestation(&envelope, &keys(), &expect()).unwrap();
    assert_eq!(verified.digest(), sha256(&envelope));
    assert_eq!(verified.keys(), [key().public().id()]);
    assert_eq!((verified.subjects(), verified.predicate()), (subjects(), &predicate()));
}

#[test]
fn every_flipped_byte_of_the_envelope_is_refused() {
    let envelope = attestation();
    for at in 0..envelope.len() {
        let mut flipped = envelope.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(matches!(refusal(&flipped), VerifyError::Envelope(_)), "byte {at}");
    }
}

#[test]
fn every_truncated_envelope_is_refused() {
    let envelope = attestation();
    for length in 0..envelope.len() {
        let error = refusal(&envelope[..length]);
        assert!(matches!(error, VerifyError::Envelope(EnvelopeError::Read(ReadError::Syntax(_)))));
    }
}

#[test]
fn reordered_fields_are_not_canonical() {
    let text = String::from_utf8(attestation()).unwrap();
    let (first, rest) = text.split_once(",\"payloadType\"").unwrap();
    let reordered = format!("{{\"payloadType\"{},{}}}", rest.strip_suffix('}').unwrap(), &first[1..]);
    serde_json::from_str::<Envelope>(&reordered).expect("it is the same envelope in another order");
    let error = refusal(reordered.as_bytes());
    assert!(matches!(error, VerifyError::Envelope(EnvelopeError::Read(ReadError::NotCanonical(_)))));

    let text = String::from_utf8(payload()).unwrap();
    let reordered = text.replacen(
        "{\"basis\":\"measured\",\"how\":\"rtnetlink dump\"",
        "{\"how\":\"rtnetlink dump\",\"basis\":\"measured\"",
        1,
    );
    assert_ne!(reordered, text);
    let error = refusal(&signed(reordered.as_bytes()));
    assert!(matches!(error, VerifyError::Statement(ReadError::NotCanonical(_))), "{error}");
}

#[test]
fn duplicated_fields_are_named() {
    let text = String::from_utf8(attestation()).unwrap();
    let doubled = text.replacen('{', "{\"payloadType\":\"application/vnd.in-toto+json\",", 1);
    let twice = |name: &str| ReadError::DuplicateField(name.into());
    assert_eq!(refusal(doubled.as_bytes()), VerifyError::Envelope(twice("payloadType").into()));

    let text = String::from_utf8(payload()).unwrap();
    let doubled = text.replacen("\"agent.links\":", "\"agent.links\":null,\"agent.links\":", 1);
    assert_eq!(refusal(&signed(doubled.as_bytes())), VerifyError::Statement(twice("agent.links")));
}

#[test]
fn fields_that_are_not_known_are_named() {
    let mut value: serde_json::Value = serde_json::from_slice(&payload()).unwrap();
    value["predicate"]["sneaky"] = true.into();
    let error = refusal(&signed(&canonical::to_bytes(&value).unwrap()));
    let VerifyError::Statement(ReadError::Form(message)) = error else { panic!("{error}") };
    assert!(message.contains("unknown field `sneaky`"), "{message}");
}

#[test]
fn a_key_that_is_not_trusted_is_named() {
    let stranger = SigningKey::from_seed([8; 32]);
    let forged = Statement::new(subjects(), predicate()).unwrap().sign(&stranger).unwrap();
    let unknown = |key: &SigningKey| VerifyError::Envelope(EnvelopeError::UnknownKey(key.public().id()));
    assert_eq!(refusal(&forged.to_bytes()), unknown(&stranger));
    let nobody = verify_attestation(&attestation(), &[], &expect()).unwrap_err();
    assert_eq!(nobody, unknown(&key()));

    let mut renamed = forged;
    renamed.signatures[0].keyid = key().public().id();
    let bad = EnvelopeError::BadSignature(key().public().id());
    assert_eq!(refusal(&renamed.to_bytes()), VerifyError::Envelope(bad));
}

#[test]
fn one_good_signature_does_not_carry_a_bad_one() {
    let envelope = Envelope::from_bytes(&attestation()).unwrap();
    let with = |change: &dyn Fn(&mut Envelope)| {
        let mut changed = envelope.clone();
        change(&mut changed);
        refusal(&changed.to_bytes())
    };
    let id = key().public().id();
    assert_eq!(with(&|e| e.signatures.clear()), VerifyError::Envelope(EnvelopeError::Unsigned));
    let twice = with(&|e| e.signatures.push(e.signatures[0].clone()));
    assert_eq!(twice, VerifyError::Envelope(EnvelopeError::SignedTwice(id)));
    let stranger = sha256(b"stranger");
    let mixed = with(&|e| {
        let mut other = e.signatures[0].clone();
        other.keyid = stranger;
        e.signatures.push(other);
    });
    assert_eq!(mixed, VerifyError::Envelope(EnvelopeError::UnknownKey(stranger)));
    let short = with(&|e| e.signatures[0].sig = Base64::encode_string(&[0; 63]));
    assert_eq!(short, VerifyError::Envelope(EnvelopeError::Base64("signature")));
    let spelled = with(&|e| e.payload.push('='));
    assert_eq!(spelled, VerifyError::Envelope(EnvelopeError::Base64("payload")));
}

#[test]
fn two_trusted_signatures_pass() {
    let fleet = SigningKey::from_seed([9; 32]);
    let statement = Statement::new(subjects(), predicate()).unwrap();
    let mut envelope = statement.sign(&key()).unwrap();
    envelope.signatures.extend(statement.sign(&fleet).unwrap().signatures);
    let both = [key().public().clone(), fleet.public().clone()];
    let verified = verify_attestation(&envelope.to_bytes(), &both, &expect()).unwrap();
    assert_eq!(verified.keys().len(), 2);
}

#[test]
fn a_payload_of_another_type_is_refused() {
    let other = dsse::sign(&key(), "text/plain", &payload());
    assert_eq!(refusal(&other.to_bytes()), VerifyError::Envelope(EnvelopeError::PayloadType(IN_TOTO.into())));
    let mut renamed = other;
    renamed.payload_type = IN_TOTO.into();
    let bad = EnvelopeError::BadSignature(key().public().id());
    assert_eq!(refusal(&renamed.to_bytes()), VerifyError::Envelope(bad));
}

#[test]
fn other_statements_are_refused() {
    let with = |change: &dyn Fn(&mut Statement)| {
        let mut statement = Statement::new(subjects(), predicate()).unwrap();
        change(&mut statement);
        refusal(&statement.sign(&key()).unwrap().to_bytes())
    };
    assert_eq!(with(&|s| s.kind.push('2')), VerifyError::StatementType);
    assert_eq!(with(&|s| s.predicate_type.push('2')), VerifyError::PredicateType);
    assert_eq!(with(&|s| drop(s.subject.pop())), VerifyError::Subjects);
    assert_eq!(with(&|s| s.subject.push(s.subject[0].clone())), VerifyError::Subjects);
    assert_eq!(with(&|s| s.subject.swap(0, 1)), VerifyError::Subjects);
    assert_eq!(with(&|s| s.subject[0].name = "run-2".into()), VerifyError::Subjects);
    let other = |digest| move |s: &mut Statement| s.subject[0].digest.sha256 = digest;
    assert_eq!(with(&other(Digest([7; 32]))), VerifyError::StateMismatch);
    assert_eq!(
        with(&|s| drop(s.predicate.facts.insert("x".into(), Fact::measured("y", 1)))),
        VerifyError::StateMismatch
    );
}

#[test]
fn every_required_fact_is_demanded() {
    for required in REQUIRED_FACTS {
        let name = required.name;
        let missing = refusal_of(|predicate| drop(predicate.facts.remove(name)));
        assert_eq!(missing, VerifyError::MissingFact(name));
        let empty = refusal_of(|predicate| {
            predicate.facts.get_mut(name).unwrap().value = serde_json::Value::Null;
        });
        assert_eq!(empty, VerifyError::EmptyFact(name));
    }
}

#[test]
fn a_fact_with_a_weaker_basis_is_refused_and_one_with_a_stronger_is_not() {
    let must = Basis::Measured;
    for required in REQUIRED_FACTS.iter().filter(|required| required.basis == must) {
        let name = required.name;
        for is in [Basis::Asserted, Basis::Behavioural] {
            let error = refusal_of(|predicate| predicate.facts.get_mut(name).unwrap().basis = is);
            assert_eq!(error, VerifyError::WrongBasis { name, is, must });
        }
    }
    let mut stronger = predicate();
    stronger.facts.values_mut().for_each(|fact| fact.basis = must);
    verify_attestation(&attest(stronger), &keys(), &expect()).unwrap();
}

#[test]
fn further_facts_are_welcome() {
    let mut more = predicate();
    more.facts.insert("host.mood".into(), Fact::asserted("a guess", "good"));
    verify_attestation(&attest(more), &keys(), &expect()).unwrap();
}

#[test]
fn every_required_probe_is_demanded_in_both_stages_just_once() {
    for required in REQUIRED_PROBES {
        let name = required.name;
        for confined in [false, true] {
            let this =
                |probe: &bottle_evidence::predicate::Probe| probe.name.as_str() == name && probe.confined == confined;
            let missing = refusal_of(|predicate| predicate.probes.retain(|probe| !this(probe)));
            assert_eq!(missing, VerifyError::MissingProbe { name, confined });
            let repeated = refusal_of(|predicate| {
                let again = predicate.probes.iter().find(|probe| this(probe)).unwrap().clone();
                predicate.probes.push(again);
            });
            assert_eq!(repeated, VerifyError::RepeatedProbe { name, confined });
            let wrong = refusal_of(|predicate| {
                let probe = predicate.probes.iter_mut().find(|probe| this(probe)).unwrap();
                (probe.expected, probe.observed) = ("12 bytes left".into(), "12 bytes left".into());
            });
            assert_eq!(wrong, VerifyError::WrongExpectation { name, confined });
        }
    }
}

#[test]
fn a_probe_that_did_not_hold_is_refused_whatever_it_claims() {
    for (observed, held) in [("12 bytes left", true), ("12 bytes left", false), ("reset", false)] {
        let error = refusal_of(|predicate| {
            let probe = &mut predicate.probes[0];
            (probe.observed, probe.held) = (observed.into(), held);
        });
        assert!(matches!(error, VerifyError::ProbeFailed(_)), "{error}");
    }
}

#[test]
fn a_further_probe_must_hold_as_well() {
    let error = refusal_of(|predicate| {
        let further = bottle_evidence::predicate::Probe::new("sctp", true, "refused", "answered");
        predicate.probes.push(further);
    });
    assert!(matches!(error, VerifyError::ProbeFailed(_)), "{error}");
}

#[test]
fn validity_has_a_beginning_and_an_end() {
    let expires = predicate().expires;
    assert_eq!(refusal_when(|e| e.now = time(1_799_999_999)), VerifyError::NotYetValid(ISSUED));
    assert_eq!(refusal_when(|e| e.now = expires), VerifyError::Expired(expires));
    assert_eq!(refusal_when(|e| e.now = time(1_800_000_601)), VerifyError::TooOld(ISSUED));
    assert_eq!(refusal_of(|p| p.expires = p.issued), VerifyError::NeverValid);
    for now in [ISSUED, Time::from_micros(expires.micros() - 1)] {
        let at_the_edge = Expect { now, max_age: None, ..expect() };
        verify_attestation(&attestation(), &keys(), &at_the_edge).unwrap();
    }
}

#[test]
fn whatever_is_expected_must_be_so() {
    let other = sha256(b"another");
    assert_eq!(refusal_when(|e| e.nonce = Some(other)), VerifyError::NonceMismatch);
    assert_eq!(refusal_when(|e| e.mode = Some(Mode::Observe)), VerifyError::WrongMode(Mode::Enforce));
    assert_eq!(refusal_of(|p| p.mode = Mode::Observe), VerifyError::WrongMode(Mode::Observe));
    assert_eq!(refusal_of(|p| p.nonce = Digest::ZERO), VerifyError::NonceMismatch);
    assert_eq!(refusal_when(|e| e.policy = Some(other)), VerifyError::PolicyMismatch(policy()));
    assert_eq!(refusal_when(|e| e.image = Some(other)), VerifyError::ImageMismatch(subjects().image));
    assert_eq!(refusal_when(|e| e.binary = Some(other)), VerifyError::BinaryMismatch(subjects().binary));
}

#[test]
fn an_endless_envelope_is_refused_unread() {
    let huge = vec![b' '; dsse::MAX_BYTES + 1];
    assert_eq!(refusal(&huge), VerifyError::Envelope(EnvelopeError::TooLarge(dsse::MAX_BYTES)));
}

/// What binding says of an attestation and a log with one run.
fn binding(attestation: &[u8], start: bottle_evidence::audit::RunStart) -> Result<(), BindingError> {
    let mut recorder = Recorder::new();
    recorder.add(bottle_evidence::audit::Entry::RunStart(start));
    recorder.seal();
    let log: LogReport = examine_log(&recorder.bytes[..], &keys(), None).unwrap();
    let verified = verify_attestation(attestation, &keys(), &Expect::at(ISSUED)).unwrap();
    bind(&verified, &log).map(|run| assert_eq!(run.first, 1))
}

#[test]
fn an_attestation_is_bound_to_the_run_that_names_it() {
    let log = examine_log(&recorded::two_runs()[..], &keys(), None).unwrap();
    let verified = verify_attestation(&attestation(), &keys(), &expect()).unwrap();
    assert_eq!(bind(&verified, &log), Err(BindingError::Reused));
    assert_eq!(binding(&attestation(), recorded::run_start("run-1")), Ok(()));
}

#[test]
fn an_attestation_of_another_run_is_not_bound() {
    let changed = |change: &dyn Fn(&mut bottle_evidence::audit::RunStart)| {
        let mut start = recorded::run_start("run-1");
        change(&mut start);
        binding(&attestation(), start)
    };
    assert_eq!(changed(&|s| s.attestation = sha256(b"another")), Err(BindingError::NoRun));
    assert_eq!(changed(&|s| s.run = "run-2".into()), Err(BindingError::OtherRun));
    assert_eq!(changed(&|s| s.mode = Mode::Observe), Err(BindingError::OtherMode));
    assert_eq!(changed(&|s| s.policy = sha256(b"another")), Err(BindingError::OtherPolicy));
    assert_eq!(changed(&|s| s.workload.pid += 1), Err(BindingError::OtherWorkload));
    assert_eq!(changed(&|s| s.workload.start += 1), Err(BindingError::OtherWorkload));
}

#[test]
fn an_attestation_of_a_bottle_that_runs_is_bound_to_the_line_that_names_it() {
    let log = examine_log(&recorded::log()[..], &keys(), None).unwrap();
    let renewed =
        verify_attestation(&recorded::renewed_attestation(), &keys(), &Expect::at(time(1_800_000_060))).unwrap();
    assert_eq!(bind(&renewed, &log).unwrap().renewals[0].line, 13);
    let mut recorder = Recorder::new();
    recorder.add(recorded::start("run-1"));
    recorder.add(Entry::RunRenew(RunRenew { nonce: nonce(), ..recorded::renewed() }));
    recorder.seal();
    let log = examine_log(&recorder.bytes[..], &keys(), None).unwrap();
    assert_eq!(bind(&renewed, &log), Err(BindingError::OtherNonce));
}

#[test]
fn what_a_start_tried_is_demanded_of_a_start_and_the_challenge_of_a_bottle_that_runs() {
    let said = |stage, probes: fn(&mut Predicate)| {
        let mut changed = Predicate { nonce: nonce(), ..recorded::predicate_while_running() };
        changed.stage = stage;
        probes(&mut changed);
        verify_attestation(&attest(changed), &keys(), &expect()).map(drop)
    };
    assert_eq!(said(Stage::Running, |_| ()), Ok(()));
    let missing = |name, confined| Err(VerifyError::MissingProbe { name, confined });
    assert_eq!(said(Stage::Start, |_| ()), missing("tcp-v4", false));
    assert_eq!(said(Stage::Running, |p| p.probes.clear()), missing("gate-challenge", false));
    assert_eq!(said(Stage::Running, |p| p.probes[0].confined = true), missing("gate-challenge", false));
}

#[test]
fn a_run_that_started_after_the_attestation_expired_is_not_bound() {
    let mut brief = predicate();
    brief.expires = Time::from_micros(ISSUED.micros() + 1);
    let envelope = attest(brief);
    let mut start = recorded::run_start("run-1");
    start.attestation = sha256(&envelope);
    assert_eq!(binding(&envelope, start), Err(BindingError::OutsideValidity));
}
