//! Does one file hold a run's evidence, and is every other file refused?

mod recorded;

use bottle_evidence::audit::LogProblem;
use bottle_evidence::dsse::{Envelope, EnvelopeError, IN_TOTO};
use bottle_evidence::incident::{Incident, IncidentError, MAX_BYTES, examine_incident, lines_of};
use bottle_evidence::key::SigningKey;
use bottle_evidence::predicate::Stage;
use bottle_evidence::verify::{BindingError, Completeness, VerifyError};
use recorded::{
    ISSUED, Recorder, attest, attestation, key, keys, log, predicate, predicate_while_running, renewed_attestation,
    start, time, two_runs,
};

fn incident_of(log: &[u8], run: &str) -> Incident {
    let attestation = Envelope::from_bytes(&attestation()).unwrap();
    let log = lines_of(log, Some(run)).unwrap();
    Incident { exported: time(1_800_000_100), attestation, renewed: None, policy: "policy".into(), log }
}

fn signed(incident: &Incident) -> Vec<u8> {
    incident.sign(&key()).unwrap().to_bytes()
}

fn refusal(change: impl FnOnce(&mut Incident)) -> IncidentError {
    let mut changed = incident_of(&log(), "run-1");
    change(&mut changed);
    examine_incident(&signed(&changed), &keys()).expect_err("a changed incident passed")
}

#[test]
fn a_run_is_handed_on_whole() {
    let examined = examine_incident(&signed(&incident_of(&log(), "run-1")), &keys()).unwrap();
    assert_eq!((examined.log.runs.len(), examined.policy.as_str()), (1, "policy"));
    assert!(examined.log.whole().is_ok());
    assert_eq!(examined.attestation.predicate().run.as_str(), "run-1");
    let last = lines_of(&log()[..], None).unwrap();
    assert_eq!(last, incident_of(&log(), "run-1").log);
}

#[test]
fn both_attestations_are_handed_on_and_each_is_of_its_own_stage() {
    let renewed = Envelope::from_bytes(&renewed_attestation()).unwrap();
    let both = Incident { renewed: Some(renewed.clone()), ..incident_of(&log(), "run-1") };
    let examined = examine_incident(&signed(&both), &keys()).unwrap();
    assert_eq!(examined.renewed.unwrap().predicate().stage, Stage::Running);
    assert!(examine_incident(&signed(&incident_of(&log(), "run-1")), &keys()).unwrap().renewed.is_none());
    let swapped = refusal(|incident| incident.renewed = Some(incident.attestation.clone()));
    assert!(matches!(swapped, IncidentError::Binding(BindingError::OtherStage)), "{swapped}");
    let swapped = refusal(|incident| incident.attestation = renewed.clone());
    assert!(matches!(swapped, IncidentError::Binding(BindingError::OtherStage)), "{swapped}");
    let mut other = predicate_while_running();
    other.nonce = bottle_evidence::Digest([9; 32]);
    let unnamed = refusal(|incident| incident.renewed = Some(Envelope::from_bytes(&attest(other)).unwrap()));
    assert!(
        matches!(
            unnamed,
            IncidentError::Binding(BindingError::NoRun) | IncidentError::Attestation(VerifyError::NotYetValid(_))
        ),
        "{unnamed}"
    );
    let stranger = SigningKey::from_seed([8; 32]);
    let forged = bottle_evidence::dsse::sign(&stranger, IN_TOTO, b"{}");
    let forged = refusal(|incident| incident.renewed = Some(forged));
    assert!(matches!(forged, IncidentError::Attestation(VerifyError::Envelope(_))), "{forged}");
}

/// The seals sign for what came before, of which nothing is handed on.
#[test]
fn a_later_run_of_a_log_is_handed_on_alone() {
    let mut second = Recorder::new();
    second.run("run-0");
    let before = second.bytes.len();
    second.run("run-1");
    let incident = incident_of(&second.bytes, "run-1");
    assert_eq!(incident.log.join("\n").len() + 1, second.bytes.len() - before);
    let examined = examine_incident(&signed(&incident), &keys()).unwrap();
    assert!(examined.log.whole().is_ok() && examined.log.runs[0].first > 1);
}

#[test]
fn a_run_that_goes_on_is_handed_on_up_to_its_last_seal_and_is_incomplete() {
    let mut recorder = Recorder::new();
    recorder.add(start("run-1"));
    recorder.seal();
    recorder.add(recorded::decision(1, "api.example.com", bottle_evidence::audit::Choice::Allow));
    let incident = incident_of(&recorder.bytes, "run-1");
    assert_eq!(incident.log.len(), 2);
    let examined = examine_incident(&signed(&incident), &keys()).unwrap();
    assert_eq!(examined.log.runs[0].completeness, Completeness::Incomplete);
    assert!(examined.log.whole().is_err());
}

#[test]
fn a_run_that_the_log_has_not_is_named() {
    let error = lines_of(&log()[..], Some("run-9")).unwrap_err();
    assert!(matches!(&error, IncidentError::NoRun(run) if run.as_str() == "run-9"), "{error}");
    assert!(matches!(lines_of(&b""[..], None).unwrap_err(), IncidentError::NoRun(_)));
    assert!(matches!(lines_of(&b"nothing\n"[..], None).unwrap_err(), IncidentError::Log(_)));
}

#[test]
fn each_line_that_was_changed_left_out_moved_or_doubled_is_found() {
    let count = incident_of(&log(), "run-1").log.len();
    for at in 0..count {
        let is = |error: &IncidentError| matches!(error, IncidentError::Log(_));
        let changed = refusal(|incident| incident.log[at] = incident.log[at].replacen("2027", "2028", 1));
        assert!(is(&changed), "{at}: {changed}");
        let doubled = refusal(|incident| incident.log.insert(at, incident.log[at].clone()));
        assert!(is(&doubled), "{at}: {doubled}");
        if at + 1 < count {
            let left_out = refusal(|incident| drop(incident.log.remove(at)));
            assert!(is(&left_out), "{at}: {left_out}");
            let moved = refusal(|incident| incident.log.swap(at, at + 1));
            assert!(is(&moved), "{at}: {moved}");
        }
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    assert!(matches!(refusal(|incident| incident.policy.push(' ')), IncidentError::Policy));
    let mut other = predicate();
    other.expires = ISSUED;
    let envelope = Envelope::from_bytes(&attest(other)).unwrap();
    let never = refusal(|incident| incident.attestation = envelope);
    assert!(matches!(never, IncidentError::Attestation(VerifyError::NeverValid)), "{never}");
    let mut other = predicate();
    other.nonce = bottle_evidence::Digest([1; 32]);
    let envelope = Envelope::from_bytes(&attest(other)).unwrap();
    let another = refusal(|incident| incident.attestation = envelope);
    assert!(matches!(another, IncidentError::Binding(BindingError::NoRun)), "{another}");
    let lines = |log: &[u8]| String::from_utf8(log.to_vec()).unwrap().lines().map(str::to_owned).collect();
    let two = refusal(|incident| incident.log = lines(&two_runs()));
    assert!(matches!(two, IncidentError::NotOneRun), "{two}");
    let none = refusal(|incident| incident.log.clear());
    assert!(matches!(&none, IncidentError::Log(error) if error.what == LogProblem::Empty), "{none}");
}

#[test]
fn another_key_another_type_and_too_many_bytes_are_refused() {
    let incident = incident_of(&log(), "run-1");
    let other = SigningKey::from_seed([8; 32]);
    let foreign = incident.sign(&other).unwrap().to_bytes();
    let refused = |bytes: &[u8]| examine_incident(bytes, &keys()).unwrap_err();
    assert!(matches!(refused(&foreign), IncidentError::Envelope(EnvelopeError::UnknownKey(_))));
    assert!(matches!(refused(&attestation()), IncidentError::Envelope(EnvelopeError::PayloadType(_))));
    let mut renamed = incident.sign(&key()).unwrap();
    renamed.payload_type = IN_TOTO.into();
    assert!(matches!(refused(&renamed.to_bytes()), IncidentError::Envelope(EnvelopeError::PayloadType(_))));
    let endless = vec![b' '; MAX_BYTES + 1];
    assert!(matches!(refused(&endless), IncidentError::Envelope(EnvelopeError::TooLarge(MAX_BYTES))));
}
