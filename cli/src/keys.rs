//! Whose signatures are trusted?

use std::error::Error;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bottle_evidence::key::{KeyError, PublicKey};
use bottle_runtime::caller::Caller;
use bottle_runtime::keys::KeyFileError;
use bottle_runtime::{bounded, keys};

use crate::report::Failure;
use crate::state;

/// No key is larger.
const MOST: u64 = 64 << 10;

/// Why there is no key in a file.
#[derive(Debug, thiserror::Error)]
pub enum InFile<E: Error + 'static> {
    /// The file could not be read.
    #[error("cannot read the key {}", path.display())]
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
        source: E,
    },
}

/// Why a public key could not be had.
#[derive(Debug, thiserror::Error)]
enum PublicKeyError {
    /// A file has none.
    #[error(transparent)]
    InFile(#[from] InFile<KeyError>),
    /// Anybody could have put a key of theirs there.
    #[error("others can write {}, and so choose who is trusted", .0.display())]
    Open(PathBuf),
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
        return Ok(vec![named(path, PublicKey::from_pem)?]);
    }
    let failed = |source| InFile::Read { path: path.to_owned(), source };
    closed(path)?;
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        files.extend(file.extension().is_some_and(|extension| extension == "pub").then_some(file));
    }
    files.sort();
    if files.is_empty() {
        return Err(PublicKeyError::None(path.to_owned()));
    }
    let found = |file: &PathBuf| {
        closed(file)?;
        Ok(parsed(file, bounded::read_found(file, MOST), PublicKey::from_pem)?)
    };
    files.iter().map(found).collect()
}

/// Nobody chooses whom to trust but who owns these files.
fn closed(path: &Path) -> Result<(), PublicKeyError> {
    const OTHERS_WRITE: u32 = 0o002;
    let metadata = path.metadata().map_err(|source| InFile::Read { path: path.to_owned(), source })?;
    if metadata.mode() & OTHERS_WRITE == 0 { Ok(()) } else { Err(PublicKeyError::Open(path.to_owned())) }
}

/// The key of some kind in a file that somebody names.
pub fn named<K, E: Error>(path: &Path, from_pem: impl Fn(&str) -> Result<K, E>) -> Result<K, InFile<E>> {
    parsed(path, bounded::read_text(path, MOST), from_pem)
}

fn parsed<K, E: Error>(
    path: &Path,
    pem: io::Result<String>,
    from_pem: impl Fn(&str) -> Result<K, E>,
) -> Result<K, InFile<E>> {
    let pem = pem.map_err(|source| InFile::Read { path: path.to_owned(), source })?;
    from_pem(&pem).map_err(|source| InFile::Key { path: path.to_owned(), source })
}

fn wrong(error: PublicKeyError) -> Failure {
    let hint = match error {
        PublicKeyError::InFile(InFile::Read { .. } | InFile::Key { source: KeyError::Retirement, .. }) => None,
        PublicKeyError::InFile(InFile::Key { .. }) => {
            Some("`bottle attest keygen --key PRIVATE` prints the public key of a private one")
        }
        PublicKeyError::None(_) => Some("a file in it counts if its name ends in .pub"),
        PublicKeyError::Open(_) => Some("chmod o-w, and look at what lies there"),
    };
    Failure { hint: hint.map(str::to_owned), ..Failure::new(error) }
}
