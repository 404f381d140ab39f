//! How is a payload signed so that its type is signed with it? DSSE 1.0: one envelope, Ed25519.

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

use crate::canonical::{self, ReadError};
use crate::key::{self, KeyId, PublicKey, SigningKey};
use crate::retirement;
use crate::time::Time;

/// The payload type of an in-toto statement.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// More bytes than this are no envelope.
pub const MAX_BYTES: usize = 16 << 20;

/// A signed payload, as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// What the payload is.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// The payload, in base64.
    pub payload: String,
    /// At least one signature.
    pub signatures: Vec<Signed>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Whose.
    pub keyid: KeyId,
    /// The Ed25519 signature of the pre-authentication encoding, in base64.
    pub sig: String,
}

/// Why an envelope was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Larger than any envelope.
    #[error("the envelope is larger than {0} bytes")]
    TooLarge(usize),
    /// Not an envelope in canonical form.
    #[error("the envelope is {0}")]
    Read(#[from] ReadError),
    /// The payload's type is another.
    #[error("the payload's type is not {0}")]
    PayloadType(String),
    /// Payload or signature are not in the one base64 spelling.
    #[error("the {0} is not in base64")]
    Base64(&'static str),
    /// No signature is there.
    #[error("the envelope has no signature")]
    Unsigned,
    /// Two signatures by one key.
    #[error("the key {0} signed twice")]
    SignedTwice(KeyId),
    /// A signature by a key that is not among those given.
    #[error("signed by the key {0}, which is not trusted")]
    UnknownKey(KeyId),
    /// A signature by a key that had been retired by then.
    #[error("signed by the key {key}, which was retired at {at}")]
    Retired {
        /// The key.
        key: KeyId,
        /// When.
        at: Time,
    },
    /// A signature that does not fit.
    #[error("the signature by the key {0} is wrong")]
    BadSignature(KeyId),
}

/// Signs a payload.
pub fn sign(key: &SigningKey, payload_type: &str, payload: &[u8]) -> Envelope {
    let signature = key.sign(&authenticated(payload_type, payload));
    Envelope {
        payload_type: payload_type.to_owned(),
        payload: Base64::encode_string(payload),
        signatures: vec![Signed { keyid: key.public().id(), sig: Base64::encode_string(&signature) }],
    }
}

impl Envelope {
    /// Reads an envelope, which must be in canonical form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
        Envelope::from_bytes_within(bytes, MAX_BYTES)
    }

    /// The same of one that may be larger, or must be smaller.
    pub fn from_bytes_within(bytes: &[u8], most: usize) -> Result<Envelope, EnvelopeError> {
        if bytes.len() > most {
            return Err(EnvelopeError::TooLarge(most));
        }
        Ok(canonical::read(bytes)?)
    }

    /// The canonical form: what is written, and what a digest of the envelope is taken of.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::to_bytes(self).expect("strings and lists of strings have a canonical form")
    }

    /// The payload, if every signature is by one of these keys and there is one at least.
    pub fn verify(&self, payload_type: &str, keys: &[PublicKey]) -> Result<Vec<u8>, EnvelopeError> {
        if self.payload_type != payload_type {
            return Err(EnvelopeError::PayloadType(payload_type.to_owned()));
        }
        let payload = Base64::decode_vec(&self.payload).map_err(|_| EnvelopeError::Base64("payload"))?;
        let message = authenticated(payload_type, &payload);
        if self.signatures.is_empty() {
            return Err(EnvelopeError::Unsigned);
        }
        for (index, signed) in self.signatures.iter().enumerate() {
            if self.signatures[..index].iter().any(|earlier| earlier.keyid == signed.keyid) {
                return Err(EnvelopeError::SignedTwice(signed.keyid));
            }
            signed.verify(&message, keys)?;
        }
        Ok(payload)
    }

    /// Demands that none of these keys had been retired when it signed, which the payload says.
    pub(crate) fn signed_in_time(&self, keys: &[PublicKey], signed: Time) -> Result<(), EnvelopeError> {
        let mut ids = self.signatures.iter().map(|signature| signature.keyid);
        let late = ids.find_map(|key| Some((key, retirement::passed(keys, key, signed)?)));
        late.map_or(Ok(()), |(key, at)| Err(EnvelopeError::Retired { key, at }))
    }
}

impl Signed {
    fn verify(&self, message: &[u8], keys: &[PublicKey]) -> Result<(), EnvelopeError> {
        let key = key::trusted(keys, self.keyid).ok_or(EnvelopeError::UnknownKey(self.keyid))?;
        let mut signature = [0; 64];
        match Base64::decode(&self.sig, &mut signature) {
            Ok(bytes) if bytes.len() == 64 => {}
            _ => return Err(EnvelopeError::Base64("signature")),
        }
        if key.verifies(message, &signature) { Ok(()) } else { Err(EnvelopeError::BadSignature(self.keyid)) }
    }
}

/// The pre-authentication encoding: what DSSE signs, so that no payload passes as one of another type.
pub fn authenticated(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend(payload);
    bytes
}
