//! Is a TPM's quote accepted for the attestation that it was made for, and each other refused by its name?
//!
//! The quote in recorded/quote.json was made by swtpm, for the run, nonce and key that the tests here have.

mod recorded;
mod verdicts;

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use bottle_evidence::key::SigningKey;
use bottle_evidence::predicate::{Fact, Predicate};
use bottle_evidence::quote::{AttestationKey, FACT, Quote, QuoteError, QuoteRefusal, question, verify_quote};
use bottle_evidence::statement::Statement;
use bottle_evidence::verify::{Expect, Verified, verify_attestation};
use bottle_evidence::{Digest, sha256};
use recorded::{ISSUED, key, nonce, predicate, subjects};
use serde_json::Value;

fn quote() -> Value {
    serde_json::from_str(include_str!("recorded/quote.json")).unwrap()
}

fn tpm_key() -> AttestationKey {
    AttestationKey::from_pem(quote()["key"].as_str().unwrap()).unwrap()
}

/// An accepted attestation that says this of a TPM, changed and signed by this key.
fn attested(said: Option<Value>, signer: &SigningKey, change: impl FnOnce(&mut Predicate)) -> Verified {
    let mut predicate = predicate();
    if let Some(value) = said {
        predicate.facts.insert(FACT.into(), Fact::measured("TPM2_Quote", value));
    }
    change(&mut predicate);
    let envelope = Statement::new(subjects(), predicate).unwrap().sign(signer).unwrap().to_bytes();
    verify_attestation(&envelope, &[signer.public().clone()], &Expect::at(ISSUED)).unwrap()
}

fn judged(said: Value) -> Result<Quote, QuoteError> {
    verify_quote(&attested(Some(said), &key(), |_| ()), &tpm_key(), &BTreeMap::new())
}

fn refused(said: Value) -> QuoteRefusal {
    judged(said).unwrap_err().refusal()
}

/// The quote with one member's bytes changed.
fn with_bytes(member: &str, change: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut value = quote();
    let mut bytes = Base64::decode_vec(value[member].as_str().unwrap()).unwrap();
    change(&mut bytes);
    value[member] = Base64::encode_string(&bytes).into();
    value
}

#[test]
fn a_quote_holds_for_the_attestation_that_it_was_made_for() {
    let quote = judged(quote()).unwrap();
    assert_eq!(quote.pcrs.keys().copied().collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    assert_eq!(quote.key.id(), tpm_key().id());
    assert_eq!(quote.to_fact().value, self::quote());
}

#[test]
fn a_quote_of_another_run_nonce_or_key_is_refused_by_name() {
    let verify = |attested: Verified| verify_quote(&attested, &tpm_key(), &BTreeMap::new()).unwrap_err().refusal();
    let stranger = SigningKey::from_seed([8; 32]);
    assert_eq!(verify(attested(Some(quote()), &key(), |p| p.run = "run-2".into())), QuoteRefusal::QuoteMismatch);
    assert_eq!(verify(attested(Some(quote()), &key(), |p| p.nonce = Digest::ZERO)), QuoteRefusal::QuoteMismatch);
    assert_eq!(verify(attested(Some(quote()), &stranger, |_| ())), QuoteRefusal::QuoteMismatch);
    let asked = |run: &str| question(key().public().id(), nonce(), &run.into());
    assert_ne!(asked("run-1"), asked("run-2"));
}

#[test]
fn where_no_tpm_or_another_one_said_anything_that_is_refused_by_name() {
    let none = attested(None, &key(), |_| ());
    assert_eq!(verify_quote(&none, &tpm_key(), &BTreeMap::new()), Err(QuoteError::Missing));
    // The point at twice the one of the key that quoted is some other key: its own signature would have to be by it.
    let mut other = quote();
    let pem = other["key"]
        .as_str()
        .unwrap()
        .replace("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZLUa", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZLUb");
    let stranger = AttestationKey::from_pem(&pem).unwrap();
    let said = attested(Some(quote()), &key(), |_| ());
    assert_eq!(verify_quote(&said, &stranger, &BTreeMap::new()), Err(QuoteError::OtherKey(tpm_key().id())));
    other["key"] = pem.into();
    assert_eq!(refused(other.clone()), QuoteRefusal::QuoteWrongKey);
    let said = attested(Some(other), &key(), |_| ());
    assert_eq!(verify_quote(&said, &stranger, &BTreeMap::new()), Err(QuoteError::BadSignature));
}

#[test]
fn every_flipped_bit_of_what_was_signed_or_of_the_signature_is_found() {
    let lengths =
        ["attested", "signature"].map(|member| Base64::decode_vec(quote()[member].as_str().unwrap()).unwrap().len());
    for at in 0..lengths[0] {
        assert_eq!(refused(with_bytes("attested", |bytes| bytes[at] ^= 1)), QuoteRefusal::QuoteBadSignature, "{at}");
    }
    for at in 0..lengths[1] {
        let said = refused(with_bytes("signature", |bytes| bytes[at] ^= 1));
        let expected = match at {
            0..6 | 38..40 => QuoteRefusal::QuoteMalformed,
            _ => QuoteRefusal::QuoteBadSignature,
        };
        assert_eq!(said, expected, "{at}");
    }
}

#[test]
fn values_that_the_tpm_did_not_quote_are_refused() {
    let mut other = quote();
    other["pcrs"]["6"] = sha256(b"other").to_string().into();
    assert_eq!(refused(other), QuoteRefusal::PcrMismatch);
    let mut less = quote();
    less["pcrs"].as_object_mut().unwrap().remove("6");
    assert_eq!(refused(less), QuoteRefusal::PcrMismatch);
    let mut renamed = quote();
    let value = renamed["pcrs"].as_object_mut().unwrap().remove("7").unwrap();
    renamed["pcrs"]["8"] = value;
    assert_eq!(refused(renamed), QuoteRefusal::PcrMismatch);
}

#[test]
fn what_has_another_form_is_no_quote() {
    for change in [
        |quote: &mut Value| *quote = "quote".into(),
        |quote: &mut Value| drop(quote.as_object_mut().unwrap().remove("key")),
        |quote: &mut Value| quote["more"] = 1.into(),
        |quote: &mut Value| quote["key"] = key().public().to_pem().into(),
        |quote: &mut Value| quote["attested"] = "?".into(),
        |quote: &mut Value| quote["signature"] = "AAAA".into(),
        |quote: &mut Value| quote["pcrs"]["24"] = sha256(b"").to_string().into(),
        |quote: &mut Value| quote["pcrs"]["07"] = sha256(b"").to_string().into(),
        |quote: &mut Value| quote["pcrs"]["x"] = sha256(b"").to_string().into(),
        |quote: &mut Value| quote["pcrs"]["7"] = "00".into(),
    ] {
        let mut other = quote();
        change(&mut other);
        assert_eq!(refused(other.clone()), QuoteRefusal::QuoteMalformed, "{other}");
    }
}

/// What both say of this quote in an attestation that was otherwise changed so.
fn both(matrix: &mut verdicts::Matrix, what: &str, said: Option<Value>, change: impl FnOnce(&mut Predicate)) {
    expecting(matrix, what, said, change, &BTreeMap::new());
}

/// The same where these PCRs must have these values.
fn expecting(
    matrix: &mut verdicts::Matrix,
    what: &str,
    said: Option<Value>,
    change: impl FnOnce(&mut Predicate),
    pcrs: &BTreeMap<u8, Digest>,
) {
    let mut predicate = predicate();
    if let Some(value) = said {
        predicate.facts.insert(FACT.into(), Fact::measured("TPM2_Quote", value));
    }
    change(&mut predicate);
    matrix.quote(what, &recorded::attest(predicate), &Expect::at(ISSUED), (&tpm_key(), pcrs));
}

#[test]
fn the_verifier_that_shares_no_code_says_the_same_of_each_quote() {
    let mut matrix = verdicts::Matrix::new();
    both(&mut matrix, "as made", Some(quote()), |_| ());
    for number in [6, 7, 23] {
        let pcrs = BTreeMap::from([(number, Digest::ZERO)]);
        expecting(&mut matrix, "a PCR that is zero", Some(quote()), |_| (), &pcrs);
    }
    both(&mut matrix, "none", None, |_| ());
    both(&mut matrix, "another run", Some(quote()), |p| p.run = "run-\u{1}\"\u{e9}".into());
    both(&mut matrix, "another nonce", Some(quote()), |p| p.nonce = Digest::ZERO);
    both(&mut matrix, "expired", Some(quote()), |p| p.expires = p.issued);
    let length = |member: &str| Base64::decode_vec(quote()[member].as_str().unwrap()).unwrap().len();
    for at in (0..length("attested")).step_by(7) {
        both(&mut matrix, "what was signed", Some(with_bytes("attested", |bytes| bytes[at] ^= 4)), |_| ());
    }
    for at in [0, 3, 5, 6, 20, 39, 40, length("signature") - 1] {
        both(&mut matrix, "the signature", Some(with_bytes("signature", |bytes| bytes[at] ^= 4)), |_| ());
    }
    both(&mut matrix, "a longer signature", Some(with_bytes("signature", |bytes| bytes.push(0))), |_| ());
    for (member, value) in [
        ("attested", "?"),
        ("signature", ""),
        ("key", "-----BEGIN PUBLIC KEY-----\n"),
        ("pcrs", "none"),
        ("more", "members"),
    ] {
        let mut other = quote();
        other[member] = value.into();
        both(&mut matrix, member, Some(other), |_| ());
    }
    for name in ["07", "24", "x", "8"] {
        let mut other = quote();
        other["pcrs"][name] = Digest::ZERO.to_string().into();
        both(&mut matrix, name, Some(other), |_| ());
    }
    let mut spelled = quote();
    spelled["key"] = spelled["key"].as_str().unwrap().replace('\n', "\r\n").into();
    both(&mut matrix, "a key that is spelled otherwise", Some(spelled), |_| ());
    let said: std::collections::BTreeSet<String> = matrix.agreed().into_iter().map(|(_, said)| said).collect();
    for refusal in
        ["ok", "30 QuoteMissing", "31 QuoteMalformed", "33 QuoteBadSignature", "34 QuoteMismatch", "35 PcrMismatch"]
    {
        assert!(said.contains(refusal), "{refusal} was not provoked: {said:?}");
    }
}

#[test]
fn every_refusal_of_a_quote_is_listed_with_its_exit_code() {
    for refusal in [
        QuoteRefusal::QuoteMissing,
        QuoteRefusal::QuoteMalformed,
        QuoteRefusal::QuoteWrongKey,
        QuoteRefusal::QuoteBadSignature,
        QuoteRefusal::QuoteMismatch,
        QuoteRefusal::PcrMismatch,
    ] {
        let cell = format!("| {} `{refusal}` |", refusal as u8);
        assert!(include_str!("../../docs/attestation.md").contains(&cell), "docs/attestation.md lacks {cell}");
    }
}

#[test]
fn a_pcr_that_is_expected_is_there_and_has_the_value() {
    let said = attested(Some(quote()), &key(), |_| ());
    let judge = |number: u8, value: Digest| verify_quote(&said, &tpm_key(), &BTreeMap::from([(number, value)]));
    assert!(judge(6, Digest::ZERO).is_ok());
    assert!(matches!(judge(7, Digest::ZERO), Err(QuoteError::Pcr { number: 7, .. })));
    let missing = judge(8, Digest::ZERO).unwrap_err();
    assert_eq!((&missing, missing.refusal()), (&QuoteError::NoPcr(8), QuoteRefusal::PcrMismatch));
}
