//! Which keys are trusted, and where is the one that signs?

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bottle_evidence::key::{KeyError, PublicKey, SigningKey};

use crate::report::Failure;
use crate::surroundings::Surroundings;

/// Why a key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file could not be read.
    #[error("cannot read the key {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be made.
    #[error("cannot write the key {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no key.
    #[error("{}", path.display())]
    Key {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
}

/// The public keys in these files; this machine's own if there is none.
pub fn trusted(files: &[PathBuf], surroundings: &Surroundings) -> Result<Vec<PublicKey>, Failure> {
    if !files.is_empty() {
        return files.iter().map(|path| public(path).map_err(Failure::new)).collect();
    }
    let own = surroundings.default_key()?;
    let key = private(&own).map_err(|error| {
        Failure::new(error).with_hint("give the public key of whoever signed: --key FILE")
    })?;
    Ok(vec![key.public().clone()])
}

/// The public key in a file, which may also hold the private one.
fn public(path: &Path) -> Result<PublicKey, KeyFileError> {
    let pem = read(path)?;
    match SigningKey::from_pem(&pem) {
        Ok(key) => Ok(key.public().clone()),
        Err(_) => PublicKey::from_pem(&pem).map_err(|source| KeyFileError::Key { path: path.to_owned(), source }),
    }
}

fn private(path: &Path) -> Result<SigningKey, KeyFileError> {
    SigningKey::from_pem(&read(path)?).map_err(|source| KeyFileError::Key { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<String, KeyFileError> {
    fs::read_to_string(path).map_err(|source| KeyFileError::Read { path: path.to_owned(), source })
}

/// Whether a key was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was.
    Found,
    /// It was made now.
    Made,
}

/// The key in this file, which is made with mode 0600 if it does not exist. An existing file is never written to.
pub fn find_or_make(path: &Path) -> Result<(SigningKey, Origin), KeyFileError> {
    match private(path) {
        Err(KeyFileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        found => return Ok((found?, Origin::Found)),
    }
    let key = SigningKey::generate().map_err(|source| KeyFileError::Key { path: path.to_owned(), source })?;
    write_new(path, key.to_pem().as_bytes())
        .map_err(|source| KeyFileError::Write { path: path.to_owned(), source })?;
    Ok((key, Origin::Made))
}

/// Under another name first: nobody ever sees half a key, and whoever comes second fails.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.to_owned().into_os_string();
    unfinished.push(format!(".{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&unfinished, path));
    let removed = fs::remove_file(&unfinished);
    written.and(removed)
}
