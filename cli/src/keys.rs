//! Whose signatures are trusted?

use std::io;
use std::path::{Path, PathBuf};

use bottle_evidence::key::{KeyError, PublicKey};
use bottle_runtime::caller::Caller;
use bottle_runtime::keys::KeyFileError;
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
    /// A directory without a public key.
    #[error("there is no public key in the directory {}", .0.display())]
    None(PathBuf),
}

/// The public keys in these files and directories; where there is none this machine's own, and those that it had before.
pub fn trusted(files: &[PathBuf], caller: &Caller) -> Result<Vec<PublicKey>, Failure> {
    if !files.is_empty() {
        let found: Result<Vec<_>, _> = files.iter().map(|path| below(path)).collect();
        return found.map(|keys| keys.concat()).map_err(wrong);
    }
    let own = keys::own(&state::default_key(caller)?).map_err(|error| {
        let hint = error.hint().filter(|_| !is_missing(&error));
        Failure::new(error).with_hint(hint.unwrap_or("give the public key of whoever signed: --key FILE"))
    })?;
    Ok(own.all())
}

fn is_missing(error: &KeyFileError) -> bool {
    matches!(error, KeyFileError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// The key in this file, or those in this directory's files whose names end in `.pub`.
fn below(path: &Path) -> Result<Vec<PublicKey>, PublicKeyError> {
    if !path.is_dir() {
        return Ok(vec![public(path)?]);
    }
    let failed = |source| PublicKeyError::Read { path: path.to_owned(), source };
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        files.extend(file.extension().is_some_and(|extension| extension == "pub").then_some(file));
    }
    files.sort();
    if files.is_empty() {
        return Err(PublicKeyError::None(path.to_owned()));
    }
    files.iter().map(|file| public(file)).collect()
}

fn public(path: &Path) -> Result<PublicKey, PublicKeyError> {
    let pem =
        bounded::read_text(path, MOST).map_err(|source| PublicKeyError::Read { path: path.to_owned(), source })?;
    PublicKey::from_pem(&pem).map_err(|source| PublicKeyError::Key { path: path.to_owned(), source })
}

fn wrong(error: PublicKeyError) -> Failure {
    let hint = match error {
        PublicKeyError::Key { source: KeyError::Retirement, .. } => None,
        PublicKeyError::Key { .. } => {
            Some("`bottle attest keygen --key PRIVATE` prints the public key of a private one")
        }
        PublicKeyError::None(_) => Some("a file in it counts if its name ends in .pub"),
        PublicKeyError::Read { .. } => None,
    };
    Failure { hint: hint.map(str::to_owned), ..Failure::new(error) }
}
