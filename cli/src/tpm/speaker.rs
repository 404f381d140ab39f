//! How is what a run asks of a TPM put to one? Each question is a conversation of its own, since a simulator holds one at a time.

use std::path::PathBuf;

use bottle_evidence::Digest;
use bottle_evidence::quote::{AttestationKey, AttestationKeyError, Quote};
use bottle_runtime::tpm::{Sealed, Tpm, TpmFailure};
use bottle_tpm::{Pcrs, TpmError};

use crate::report::Failure;

/// What is quoted: firmware, its settings, boot loader and secure boot.
const QUOTED: std::ops::Range<u8> = 0..8;

/// Speaks to the TPM at this path.
#[derive(Clone, Debug)]
pub struct Speaker(PathBuf);

impl Speaker {
    /// Whether something is there shows when it is asked.
    pub fn at(path: PathBuf) -> Result<Speaker, Failure> {
        Ok(Speaker(path))
    }

    /// The key that signs its quotes.
    pub fn attestation_key(&self) -> Result<AttestationKey, TpmFailure> {
        AttestationKey::from_spki(&self.ask(bottle_tpm::Tpm::attestation_key)?).map_err(no_key)
    }

    fn ask<T>(&self, ask: impl FnOnce(&mut bottle_tpm::Tpm) -> Result<T, TpmError>) -> Result<T, TpmFailure> {
        bottle_tpm::Tpm::open(&self.0).and_then(|mut tpm| ask(&mut tpm)).map_err(failure)
    }
}

impl Tpm for Speaker {
    fn seal(&self, secret: &[u8; 32], pcrs: &[u8]) -> Result<Sealed, TpmFailure> {
        let sealed = self.ask(|tpm| tpm.seal(secret, &selected(pcrs.iter().copied())?))?;
        Ok(Sealed { public: sealed.public, private: sealed.private, pcrs: sealed.pcrs.numbers().to_vec() })
    }

    fn unseal(&self, sealed: &Sealed) -> Result<[u8; 32], TpmFailure> {
        let Sealed { public, private, pcrs } = sealed.clone();
        let secret = self.ask(|tpm| tpm.unseal(&bottle_tpm::Sealed { public, private, pcrs: selected(pcrs)? }))?;
        secret.try_into().map_err(|_| failure(TpmError::Foreign))
    }

    fn quote(&self, question: Digest) -> Result<Quote, TpmFailure> {
        let quote = self.ask(|tpm| tpm.quote(&question.0, &selected(QUOTED)?))?;
        let key = AttestationKey::from_spki(&quote.key).map_err(no_key)?;
        let pcrs = quote.pcrs.into_iter().map(|(number, value)| (number, Digest(value))).collect();
        Ok(Quote { key, attested: quote.attested, signature: quote.signature, pcrs })
    }
}

fn selected(numbers: impl IntoIterator<Item = u8>) -> Result<Pcrs, TpmError> {
    Pcrs::new(numbers).map_err(TpmError::NoPcr)
}

fn failure(error: TpmError) -> TpmFailure {
    TpmFailure { hint: error.hint(), source: error.into() }
}

fn no_key(error: AttestationKeyError) -> TpmFailure {
    TpmFailure { hint: None, source: error.into() }
}
