//! What did a TPM say of the machine, and to which question? A quote over PCRs, in the fact `tpm.quote`.
//!
//! The question is in what the TPM signs, as [`question`] makes it of the attestation's nonce, run and key: a quote is good for one
//! attestation. Whose word it is, the verifier knows beforehand: an [`AttestationKey`] that was handed in.

mod attested;
mod key;
mod verify;

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::{Digest, sha256};
use crate::key::KeyId;
use crate::predicate::Fact;
use crate::text::Text;

pub use key::{AttestationKey, AttestationKeyError};
pub use verify::{QuoteError, QuoteRefusal, verify_quote};

/// The fact that holds it.
pub const FACT: &str = "tpm.quote";

/// What the question begins with, so that no other use of the TPM's key answers it.
pub const DOMAIN: &str = "bottle tpm quote v1\n";

/// How many PCRs a bank has.
pub const PCRS: u8 = 24;

/// A quote, and the values that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Whose word it is.
    pub key: AttestationKey,
    /// What was signed: `TPMS_ATTEST`.
    pub attested: Vec<u8>,
    /// The signature: `TPMT_SIGNATURE`.
    pub signature: Vec<u8>,
    /// The SHA-256 values of PCRs, by number.
    pub pcrs: BTreeMap<u8, Digest>,
}

/// As written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    attested: String,
    key: String,
    pcrs: BTreeMap<String, Digest>,
    signature: String,
}

/// What a quote is asked for: the digest that the TPM takes into what it signs.
pub fn question(key: KeyId, nonce: Digest, run: &Text) -> Digest {
    #[derive(Serialize)]
    struct Question<'a> {
        key: KeyId,
        nonce: Digest,
        run: &'a Text,
    }
    let asked = canonical::to_bytes(&Question { key, nonce, run }).expect("texts have a canonical form");
    sha256(&[DOMAIN.as_bytes(), &asked].concat())
}

impl Quote {
    /// The fact that says so.
    pub fn to_fact(&self) -> Fact {
        let written = Written {
            attested: Base64::encode_string(&self.attested),
            key: self.key.to_pem(),
            pcrs: self.pcrs.iter().map(|(number, value)| (number.to_string(), *value)).collect(),
            signature: Base64::encode_string(&self.signature),
        };
        let value = serde_json::to_value(written).expect("texts have a JSON form");
        Fact::measured("TPM2_Quote, signed by the TPM", value)
    }

    /// What a fact says, if it has the form.
    fn from_fact(fact: &Fact) -> Option<Quote> {
        let written: Written = serde_json::from_value(fact.value.clone()).ok()?;
        let number = |text: &str| text.parse().ok().filter(|number: &u8| *number < PCRS && number.to_string() == text);
        let pcrs = written.pcrs.iter().map(|(text, value)| Some((number(text)?, *value)));
        let key = AttestationKey::from_pem(&written.key).ok().filter(|key| key.to_pem() == written.key);
        Some(Quote {
            key: key?,
            attested: Base64::decode_vec(&written.attested).ok()?,
            signature: Base64::decode_vec(&written.signature).ok()?,
            pcrs: pcrs.collect::<Option<_>>()?,
        })
    }
}
