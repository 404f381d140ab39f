//! Does an attestation verify only as it was signed, and is what is signed held to its form?

use std::time::Duration;

use bottle_evidence::dsse::{self, Envelope};
use bottle_evidence::statement::Statement;
use bottle_evidence::verify::{Expect, verify_attestation};
use bottle_evidence::{Time, canonical, sha256};

use super::Reading;
use crate::targets::keys::{pair, trusted};

const SIGNED: &[u8] = include_bytes!("../../corpus/attestation/envelope");
/// When [`SIGNED`] was.
const ISSUED: Time = Time::from_micros(1_800_000_000_000_000);

/// An envelope as it comes; what is none is a payload that the trusted key signs.
pub(super) fn read(bytes: &[u8]) -> Reading {
    let (key, expect) = (pair(), Expect { max_age: Some(Duration::from_secs(3600)), ..Expect::at(ISSUED) });
    let keys = trusted(&key);
    if let Ok(envelope) = Envelope::from_bytes(bytes) {
        assert_eq!(envelope.to_bytes(), bytes);
        let verified = verify_attestation(bytes, &keys, &expect);
        assert!(verified.is_err() || bytes == SIGNED, "an attestation that nobody signed");
        return verified.is_ok().into();
    }
    let signed = dsse::sign(&key, dsse::IN_TOTO, bytes).to_bytes();
    let verified = verify_attestation(&signed, &keys, &expect);
    match &verified {
        Ok(verified) => {
            assert_eq!(verified.digest(), sha256(&signed));
            let statement: Statement = canonical::read(bytes).expect("what verifies is canonical");
            assert_eq!(statement.sign(&key).expect("it has a form").to_bytes(), signed);
        }
        Err(error) => assert!(error.to_string().chars().all(|c| !c.is_control()), "{error:?}"),
    }
    verified.is_ok().into()
}
