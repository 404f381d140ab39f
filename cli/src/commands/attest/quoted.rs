//! What a TPM said in an attestation: by which key, and is it as expected?

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use bottle_evidence::Digest;
use bottle_evidence::quote::{AttestationKey, AttestationKeyError, QuoteError, verify_quote};
use bottle_evidence::verify::Verified;
use bottle_runtime::caller::Caller;

use crate::args::AttestVerifyArgs;
use crate::keys::{self, InFile};
use crate::report::Failure;
use crate::{stdout, tpm};

/// Why the key could not be had.
#[derive(Debug, thiserror::Error)]
enum TpmKeyError {
    /// A file has none.
    #[error(transparent)]
    InFile(#[from] InFile<AttestationKeyError>),
    /// A PCR was given two values.
    #[error("--pcr gives PCR {0} two values")]
    Twice(u8),
}

const PRINTS: &str = "`bottle attest tpm-key` prints the key on the machine that has the TPM";

/// What is demanded of a quote.
pub(super) struct Demanded {
    key: AttestationKey,
    pcrs: BTreeMap<u8, Digest>,
}

/// What the options demand, if they demand a quote.
pub(super) fn demanded(args: &AttestVerifyArgs) -> Result<Option<Demanded>, Failure> {
    let Some(path) = &args.tpm_ak else { return Ok(None) };
    let key = keys::named(path, AttestationKey::from_pem).map_err(|error| {
        let is_other = matches!(error, InFile::Key { .. });
        let failure = Failure::new(TpmKeyError::from(error));
        if is_other { failure.with_hint(PRINTS) } else { failure }
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
        QuoteError::OtherKey(_) => Some(PRINTS),
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
