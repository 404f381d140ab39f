//! What a TPM said in an attestation: by which key, and is it as expected?

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bottle_evidence::Digest;
use bottle_evidence::quote::{AttestationKey, AttestationKeyError, QuoteError, verify_quote};
use bottle_evidence::verify::Verified;
use bottle_runtime::bounded;
use bottle_runtime::caller::Caller;

use crate::args::AttestVerifyArgs;
use crate::report::Failure;
use crate::{stdout, tpm};

/// No key is larger.
const MOST: u64 = 64 << 10;

/// Why the key could not be had.
#[derive(Debug, thiserror::Error)]
enum TpmKeyError {
    /// The file could not be read.
    #[error("cannot read the TPM's key {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no such key.
    #[error("{}", path.display())]
    Key {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        source: AttestationKeyError,
    },
    /// A PCR was given two values.
    #[error("--pcr gives PCR {0} two values")]
    Twice(u8),
}

/// What is demanded of a quote.
pub(super) struct Demanded {
    key: AttestationKey,
    pcrs: BTreeMap<u8, Digest>,
}

/// What the options demand, if they demand a quote.
pub(super) fn demanded(args: &AttestVerifyArgs) -> Result<Option<Demanded>, Failure> {
    let Some(path) = &args.tpm_ak else { return Ok(None) };
    let read = |source| TpmKeyError::Read { path: path.clone(), source };
    let pem = bounded::read_text(path, MOST).map_err(|source| Failure::new(read(source)))?;
    let key = AttestationKey::from_pem(&pem).map_err(|source| {
        Failure::new(TpmKeyError::Key { path: path.clone(), source })
            .with_hint("`bottle attest tpm-key` prints it on the machine that has the TPM")
    })?;
    let mut pcrs = BTreeMap::new();
    for (number, value) in &args.pcr {
        if pcrs.insert(*number, *value).is_some_and(|other| other != *value) {
            return Err(Failure::new(TpmKeyError::Twice(*number)));
        }
    }
    Ok(Some(Demanded { key, pcrs }))
}

impl Demanded {
    pub(super) fn check(&self, verified: &Verified) -> Result<(), QuoteError> {
        verify_quote(verified, &self.key, &self.pcrs).map(drop)
    }
}

pub(super) fn hint(error: &QuoteError) -> Option<&'static str> {
    match error {
        QuoteError::Missing => Some("`bottle run --tpm PATH` has a TPM say it"),
        QuoteError::OtherKey(_) => Some("`bottle attest tpm-key` prints the key on the machine that has the TPM"),
        QuoteError::Pcr { .. } => Some("the machine was started with something else than expected"),
        _ => None,
    }
}

/// Prints the key that signs a TPM's quotes.
pub(super) fn key(tpm: Option<&Path>, caller: &Caller) -> Result<ExitCode, Failure> {
    let key = tpm::speaker(tpm, caller)?.attestation_key().map_err(|failure| {
        let hint = failure.hint.map(str::to_owned);
        Failure { hint, ..Failure::new(failure) }
    })?;
    stdout::line(key.to_pem().trim_end())?;
    Ok(ExitCode::SUCCESS)
}
