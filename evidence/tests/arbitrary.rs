//! Does anything that is read make the readers panic, or pass without being what we write?
//!
//! These are the fuzz targets of this crate: each parser of foreign bytes has one, named after it.

mod recorded;

use bottle_evidence::audit::{Entry, Line, recover};
use bottle_evidence::canonical;
use bottle_evidence::dsse::Envelope;
use bottle_evidence::key::{PublicKey, SigningKey};
use bottle_evidence::verify::{Expect, examine_log, verify_attestation};
use bottle_evidence::{Digest, Text, Time};
use proptest::collection::vec;
use proptest::prelude::*;
use recorded::{ISSUED, attestation, keys, lines, log};

/// Arbitrary bytes, and recorded ones with a piece replaced by arbitrary bytes.
fn bytes(recorded: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = recorded.len();
    let spliced = (0..length, 0..40_usize, vec(any::<u8>(), 0..40)).prop_map(move |(at, cut, new)| {
        let mut bytes = recorded.clone();
        bytes.splice(at..(at + cut).min(length), new);
        bytes
    });
    prop_oneof![vec(any::<u8>(), 0..400), spliced]
}

fn a_line() -> Vec<u8> {
    lines(&log()).swap_remove(2).trim_ascii_end().to_vec()
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Into::into),
        any::<f64>().prop_filter("JSON has no infinities", |f| f.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn line_from_bytes(bytes in bytes(a_line())) {
        if let Ok(line) = Line::from_bytes(&bytes) {
            prop_assert_eq!(line.to_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn examine_log_and_recover(bytes in bytes(log())) {
        if let Ok(recovered) = recover(&bytes, &keys()) {
            prop_assert_eq!(recovered.keep + recovered.torn, bytes.len() as u64);
            prop_assert!(examine_log(&bytes[..recovered.keep as usize], &keys(), None).is_ok() || recovered.keep == 0);
        }
        let changed = bytes != log();
        let report = examine_log(&bytes[..], &keys(), None);
        prop_assert!(!changed || report.is_err() || report.unwrap().whole().is_err());
    }

    #[test]
    fn envelope_from_bytes_and_verify_attestation(bytes in bytes(attestation())) {
        if let Ok(envelope) = Envelope::from_bytes(&bytes) {
            prop_assert_eq!(envelope.to_bytes(), bytes.clone());
        }
        let verified = verify_attestation(&bytes, &keys(), &Expect::at(ISSUED));
        prop_assert!(verified.is_err() || bytes == attestation());
    }

    #[test]
    fn key_from_pem(bytes in bytes(recorded::key().to_pem().into_bytes())) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = SigningKey::from_pem(&text);
        let _ = PublicKey::from_pem(&text);
    }

    #[test]
    fn time_and_digest_have_one_spelling(text in "[-0-9TZ:.+]{0,40}|[0-9a-fA-F]{60,66}", micros in any::<u64>()) {
        if let Ok(time) = text.parse::<Time>() {
            prop_assert_eq!(time.to_string(), text.clone());
        }
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(digest.to_string(), text);
        }
        let time = Time::from_micros(micros);
        prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
    }

    #[test]
    fn text_is_bounded_and_read_as_written(text in any::<String>(), times in 1..200_usize) {
        let text = Text::new(&text.repeat(times));
        prop_assert!(text.as_str().len() <= Text::MAX);
        let json = canonical::to_bytes(&text).unwrap();
        prop_assert_eq!(canonical::read::<Text>(&json).unwrap(), text);
    }

    #[test]
    fn any_name_can_be_recorded_and_read(name in any::<String>(), attempt in 0..canonical::MAX_INTEGER) {
        let mut recorder = recorded::Recorder::new();
        recorder.add(recorded::start("run-1"));
        let choice = bottle_evidence::audit::Choice::Deny;
        recorder.add(Entry::Decision(recorded::judged(attempt, &name, choice)));
        recorder.end();
        recorder.seal();
        prop_assert!(bottle_evidence::verify::verify_log(&recorder.bytes[..], &keys(), None).is_ok());
    }

    #[test]
    fn canonical_form_is_that_of_another_implementation(value in json()) {
        let ours = canonical::to_bytes(&value).unwrap();
        prop_assert_eq!(&ours, &serde_json_canonicalizer::to_vec(&value).unwrap());
        let read: serde_json::Value = canonical::read(&ours).unwrap();
        prop_assert_eq!(canonical::to_bytes(&read).unwrap(), ours);
    }

    #[test]
    fn canonical_read(bytes in bytes(attestation())) {
        if let Ok(value) = canonical::read::<serde_json::Value>(&bytes) {
            prop_assert_eq!(canonical::to_bytes(&value).unwrap(), bytes);
        }
    }
}
