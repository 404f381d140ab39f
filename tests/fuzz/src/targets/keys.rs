//! Is a key in PEM read as it is written, and nothing else?

use bottle_evidence::key::{PublicKey, SigningKey};
use bottle_evidence::quote::AttestationKey;

use super::Reading;
use crate::pieces;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let Some(text) = pieces::text(bytes) else { return Reading::Refused };
    let signing = SigningKey::from_pem(text).ok();
    if let Some(key) = &signing {
        let again = SigningKey::from_pem(&key.to_pem()).expect("what was written is read");
        assert_eq!(again.public().id(), key.public().id());
    }
    let public = PublicKey::from_pem(text).ok();
    if let Some(key) = &public {
        let again = PublicKey::from_pem(&key.to_pem()).expect("what was written is read");
        assert_eq!(&again, key);
    }
    let quoting = AttestationKey::from_pem(text).ok();
    if let Some(key) = &quoting {
        assert_eq!(AttestationKey::from_pem(&key.to_pem()).as_ref(), Ok(key));
    }
    let kinds = [signing.is_some(), public.is_some(), quoting.is_some()].into_iter().filter(|is| *is).count();
    assert!(kinds <= 1, "one text, two kinds of key");
    (kinds == 1).into()
}

/// The key that the corpus is signed with.
pub(super) fn pair() -> SigningKey {
    SigningKey::from_seed([7; 32])
}

/// It alone is trusted.
pub(super) fn trusted(key: &SigningKey) -> Vec<PublicKey> {
    vec![key.public().clone()]
}
