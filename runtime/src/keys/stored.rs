//! What is in a key's file? The key itself, or what a TPM makes it of again.

use base64ct::{Base64, Encoding};
use bottle_evidence::key::{KeyError, PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use crate::tpm::{Sealed, Tpm, TpmFailure};

/// What the file holds.
pub(super) enum Stored {
    /// The key, in PEM.
    Open(SigningKey),
    /// The public half in PEM, and the private one sealed by a TPM.
    Sealed(PublicKey, Sealed),
}

/// As written: one JSON object.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    key: String,
    pcrs: Vec<u8>,
    private: String,
    public: String,
    sealed: String,
}

/// What `sealed` says.
const FORM: &str = "tpm2 v1";

/// Why a sealed key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// There is no TPM.
    #[error("it is sealed by a TPM, and this program speaks to none")]
    NoTpm,
    /// The TPM gives nothing back.
    #[error(transparent)]
    Tpm(#[from] TpmFailure),
    /// Another public half lies beside it than the one of what was sealed.
    #[error("what the TPM gave back is another key than the file says")]
    OtherKey,
}

impl UnsealError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            UnsealError::NoTpm => Some("build bottle with the feature `tpm`: cargo build --release --features tpm"),
            UnsealError::Tpm(failure) => failure.hint,
            UnsealError::OtherKey => Some("somebody changed the file: make another key, and find out who"),
        }
    }
}

impl Stored {
    pub(super) fn read(text: &str) -> Result<Stored, KeyError> {
        if !text.starts_with('{') {
            return SigningKey::from_pem(text).map(Stored::Open);
        }
        let written: Written = serde_json::from_str(text).map_err(|_| KeyError::NotPrivate)?;
        let decoded = |text: &str| Base64::decode_vec(text).map_err(|_| KeyError::NotPrivate);
        if written.sealed != FORM {
            return Err(KeyError::NotPrivate);
        }
        let (public, private) = (decoded(&written.public)?, decoded(&written.private)?);
        Ok(Stored::Sealed(PublicKey::from_pem(&written.key)?, Sealed { public, private, pcrs: written.pcrs }))
    }

    /// A new key, sealed as these are or in the open.
    pub(super) fn text_of(key: &SigningKey, sealed: Option<(&dyn Tpm, &[u8])>) -> Result<String, UnsealError> {
        let Some((tpm, pcrs)) = sealed else { return Ok(key.to_pem()) };
        let sealed = tpm.seal(&key.to_seed(), pcrs)?;
        let written = Written {
            key: key.public().to_pem(),
            pcrs: sealed.pcrs,
            private: Base64::encode_string(&sealed.private),
            public: Base64::encode_string(&sealed.public),
            sealed: FORM.into(),
        };
        Ok(serde_json::to_string(&written).expect("texts and numbers have a JSON form") + "\n")
    }

    pub(super) fn public(&self) -> &PublicKey {
        match self {
            Stored::Open(key) => key.public(),
            Stored::Sealed(public, _) => public,
        }
    }

    /// For which PCRs it is sealed, if it is.
    pub(super) fn pcrs(&self) -> Option<&[u8]> {
        match self {
            Stored::Open(_) => None,
            Stored::Sealed(_, sealed) => Some(&sealed.pcrs),
        }
    }

    /// The key, which a TPM may have to give back.
    pub(super) fn unsealed(self, tpm: Option<&dyn Tpm>) -> Result<SigningKey, UnsealError> {
        let (public, sealed) = match self {
            Stored::Open(key) => return Ok(key),
            Stored::Sealed(public, sealed) => (public, sealed),
        };
        let key = SigningKey::from_seed(tpm.ok_or(UnsealError::NoTpm)?.unseal(&sealed)?);
        if key.public().id() == public.id() { Ok(key) } else { Err(UnsealError::OtherKey) }
    }
}
