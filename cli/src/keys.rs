//! Whose signatures are trusted?

use std::io;
use std::path::{Path, PathBuf};

use bottle_evidence::key::{KeyError, PublicKey};
use bottle_runtime::caller::Caller;
use bottle_runtime::{bounded, keys};

use crate::report::Failure;
use crate::state;

/// No key is larger.
const MOST: u64 = 64 << 10;

/// Why a public key could not be had.
#[derive(Debug, thiserror::Error)]
enum PublicKeyError {
    /// The file could not be read.
    #[error("cannot read the key {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no public key.
    #[error("{}", path.display())]
    Key {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
}

/// The public keys in these files; this machine's own if there is none.
pub fn trusted(files: &[PathBuf], caller: &Caller) -> Result<Vec<PublicKey>, Failure> {
    if !files.is_empty() {
        return files.iter().map(|path| public(path).map_err(wrong)).collect();
    }
    let own = keys::read(&state::default_key(caller)?);
    let own =
        own.map_err(|error| Failure::new(error).with_hint("give the public key of whoever signed: --key FILE"))?;
    Ok(vec![own.public().clone()])
}

fn public(path: &Path) -> Result<PublicKey, PublicKeyError> {
    let pem =
        bounded::read_text(path, MOST).map_err(|source| PublicKeyError::Read { path: path.to_owned(), source })?;
    PublicKey::from_pem(&pem).map_err(|source| PublicKeyError::Key { path: path.to_owned(), source })
}

fn wrong(error: PublicKeyError) -> Failure {
    let is_key = matches!(error, PublicKeyError::Key { .. });
    let hint = is_key.then(|| "`bottle attest keygen --key PRIVATE` prints the public key of a private one".to_owned());
    Failure { hint, ..Failure::new(error) }
}
