//! Whose quotes are believed? A TPM's attestation key: ECDSA with P-256, SPKI in PEM.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::{self, LineEnding};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use crate::digest::{Digest, sha256};

/// What a P-256 key's SubjectPublicKeyInfo begins with; the point follows: 4, and two times 32 bytes.
const BEGINNING: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// An attestation key. Its point may lie beside the curve: then no signature holds.
#[derive(Clone, PartialEq, Eq)]
pub struct AttestationKey {
    point: [u8; 65],
}

/// No attestation key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a P-256 public key in SPKI PEM")]
pub struct AttestationKeyError;

impl AttestationKey {
    /// Reads SPKI PEM.
    ///
    /// # Errors
    /// [`AttestationKeyError`].
    pub fn from_pem(text: &str) -> Result<AttestationKey, AttestationKeyError> {
        match pem::decode_vec(text.as_bytes()) {
            Ok(("PUBLIC KEY", der)) => AttestationKey::from_spki(&der),
            _ => Err(AttestationKeyError),
        }
    }

    /// Reads SPKI DER.
    ///
    /// # Errors
    /// [`AttestationKeyError`].
    pub fn from_spki(der: &[u8]) -> Result<AttestationKey, AttestationKeyError> {
        let point = der.strip_prefix(&BEGINNING).and_then(|point| point.try_into().ok());
        let point = point.filter(|point: &[u8; 65]| point[0] == 4);
        point.map(|point| AttestationKey { point }).ok_or(AttestationKeyError)
    }

    fn spki(&self) -> Vec<u8> {
        [&BEGINNING[..], &self.point].concat()
    }

    /// SPKI PEM.
    pub fn to_pem(&self) -> String {
        pem::encode_string("PUBLIC KEY", LineEnding::LF, &self.spki()).expect("91 bytes have a PEM form")
    }

    /// The SHA-256 of its SPKI DER.
    pub fn id(&self) -> Digest {
        sha256(&self.spki())
    }

    /// Whether this key made this signature, `r` and `s`, of these bytes.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.point).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for AttestationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttestationKey({})", self.id())
    }
}
