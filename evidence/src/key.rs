//! Who signs? Ed25519 keys: PKCS#8 and SPKI in PEM, so that OpenSSL reads and makes them too.

use std::fmt;

use ed25519_dalek::Signer;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes};

use crate::digest::{Digest, sha256};
use crate::retirement;
use crate::time::Time;

/// The SHA-256 of a public key's SPKI DER.
pub type KeyId = Digest;

/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// Why a key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// Not an Ed25519 private key in PKCS#8 PEM.
    #[error("not an Ed25519 private key in PKCS#8 PEM")]
    NotPrivate,
    /// Not an Ed25519 public key in SPKI PEM.
    #[error("not an Ed25519 public key in SPKI PEM")]
    NotPublic,
    /// A line that does not say when the key was retired.
    #[error("before the key there must be one line `Retired: 2026-01-02T03:04:05.000006Z`, or none that begins so")]
    Retirement,
    /// A public key of small order: anyone can sign for it.
    #[error("a weak public key, for which anyone can sign")]
    Weak,
}

/// A private key. It is wiped from memory when dropped, and Debug shows its public id only.
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl SigningKey {
    /// A new key from the system's random bytes.
    pub fn generate() -> Result<SigningKey, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(KeyError::Random)?;
        Ok(SigningKey::from_seed(seed))
    }

    /// The key that these 32 random bytes are.
    pub fn from_seed(seed: [u8; 32]) -> SigningKey {
        let secret = ed25519_dalek::SigningKey::from_bytes(&seed);
        let public = PublicKey::of(secret.verifying_key());
        SigningKey { secret, public }
    }

    /// Reads PKCS#8 PEM.
    pub fn from_pem(pem: &str) -> Result<SigningKey, KeyError> {
        let secret = ed25519_dalek::SigningKey::from_pkcs8_pem(pem).ok().filter(|_| is_one_block(pem));
        let secret = secret.ok_or(KeyError::NotPrivate)?;
        Ok(SigningKey::from_seed(secret.to_bytes()))
    }

    /// PKCS#8 PEM. Whoever reads it can sign: write it with mode 0600.
    pub fn to_pem(&self) -> String {
        // Version 1, without the public key: OpenSSL 3.0 does not read version 2.
        let pair = KeypairBytes { secret_key: self.secret.to_bytes(), public_key: None };
        let pem = pair.to_pkcs8_pem(LineEnding::LF).expect("a 32-byte key has a PKCS#8 form");
        pem.to_string()
    }

    /// The 32 random bytes that it is, for a TPM to seal. Whoever has them can sign.
    pub fn to_seed(&self) -> [u8; 32] {
        self.secret.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs these bytes.
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.secret.sign(message).to_bytes()
    }
}

/// Whether there is no empty line from the first one of the block on: the library's reader lets one pass before its end.
fn is_one_block(pem: &str) -> bool {
    let block = pem.find("-----BEGIN").map_or("", |at| &pem[at..]);
    block.replace("\r\n", "\n").replace('\r', "\n").lines().all(|line| !line.is_empty())
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id)
    }
}

/// A public key, and until when it signs.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: ed25519_dalek::VerifyingKey,
    id: KeyId,
    retired: Option<Time>,
}

impl PublicKey {
    fn of(point: ed25519_dalek::VerifyingKey) -> PublicKey {
        let der = point.to_public_key_der().expect("an Ed25519 key has an SPKI form");
        PublicKey { point, id: sha256(der.as_bytes()), retired: None }
    }

    /// Reads SPKI PEM, and when it was retired, if a line before it says so. A key for which anyone can sign is refused.
    pub fn from_pem(pem: &str) -> Result<PublicKey, KeyError> {
        let point = ed25519_dalek::VerifyingKey::from_public_key_pem(pem).ok().filter(|_| is_one_block(pem));
        let point = point.ok_or(KeyError::NotPublic)?;
        if point.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(PublicKey { retired: retirement::read(pem)?, ..PublicKey::of(point) })
    }

    /// SPKI PEM; of a retired key with the line that says so.
    pub fn to_pem(&self) -> String {
        let pem = self.point.to_public_key_pem(LineEnding::LF).expect("an Ed25519 key has an SPKI form");
        self.retired.map(retirement::written).unwrap_or_default() + &pem
    }

    /// The same key, which signs nothing that is later than this.
    pub fn retired_at(self, at: Time) -> PublicKey {
        PublicKey { retired: Some(at), ..self }
    }

    /// When it was retired, if it was.
    pub fn retirement(&self) -> Option<Time> {
        self.retired
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether this key made this signature of these bytes. Without the private key, no signature can be turned into another that passes.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.point.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

/// The key with this id among those that are trusted.
pub(crate) fn trusted(keys: &[PublicKey], id: KeyId) -> Option<&PublicKey> {
    keys.iter().find(|key| key.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_pem() {
        let key = SigningKey::generate().unwrap();
        let read = SigningKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(read.public(), key.public());
        assert_eq!(&PublicKey::from_pem(&key.public().to_pem()).unwrap(), key.public());
    }

    #[test]
    fn a_signature_is_good_for_its_own_message_and_key_only() {
        let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let signature = key.sign(b"message");
        assert!(key.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"messagf", &signature));
        assert!(!other.public().verifies(b"message", &signature));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SigningKey::from_seed([7; 32]);
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.public().id()));
    }

    #[test]
    fn a_key_for_which_anyone_can_sign_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let point = ed25519_dalek::VerifyingKey::from_bytes(&identity).unwrap();
        let pem = point.to_public_key_pem(LineEnding::LF).unwrap();
        assert!(matches!(PublicKey::from_pem(&pem), Err(KeyError::Weak)));
    }

    #[test]
    fn other_text_is_no_key() {
        assert!(matches!(SigningKey::from_pem("hello"), Err(KeyError::NotPrivate)));
        assert!(matches!(PublicKey::from_pem(""), Err(KeyError::NotPublic)));
        let key = SigningKey::from_seed([3; 32]);
        for end in ["\n", "\r\n", "\r"] {
            let [private, public] = [key.to_pem(), key.public().to_pem()].map(|pem| pem.replace('\n', end));
            assert!(SigningKey::from_pem(&private).is_ok() && PublicKey::from_pem(&public).is_ok());
            let spaced = |pem: String| pem.replace("-----END", &format!("{end}-----END"));
            assert!(matches!(SigningKey::from_pem(&spaced(private)), Err(KeyError::NotPrivate)));
            assert!(matches!(PublicKey::from_pem(&spaced(public)), Err(KeyError::NotPublic)));
        }
    }
}
