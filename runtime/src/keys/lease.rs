//! How does a run begin with a key that is not retired meanwhile? It holds the key's file until it has signed; who retires it waits.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use bottle_evidence::key::SigningKey;
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

use super::{KeyFileError, failed, open, stored, unsealed};
use crate::tpm::Tpm;

/// A key that is not retired before this is dropped.
pub struct Lease {
    key: Arc<SigningKey>,
    keeper: Keeper,
    _lock: Lock,
}

/// Who keeps a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// Its file.
    File,
    /// A TPM.
    Tpm,
}

impl Lease {
    /// The key.
    pub fn key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.key)
    }

    /// Who keeps it.
    pub fn keeper(&self) -> Keeper {
        self.keeper
    }
}

/// The key in this file, which this TPM may have to give back. While it is being retired, that is waited for, and this is the new
/// one.
///
/// # Errors
/// [`KeyFileError`].
pub fn hold(path: &Path, tpm: Option<&dyn Tpm>) -> Result<Lease, KeyFileError> {
    let lock = Lock::take(path, FlockOperation::LockShared, || ())?;
    let stored = stored(&lock.0, path)?;
    let keeper = if stored.pcrs().is_some() { Keeper::Tpm } else { Keeper::File };
    Ok(Lease { key: Arc::new(unsealed(stored, path, tpm)?), keeper, _lock: lock })
}

/// A key's file, locked.
pub(super) struct Lock(pub(super) File);

impl Lock {
    /// Locks the file that has this name, and tells if others have to be waited for.
    pub(super) fn take(path: &Path, how: FlockOperation, waits: impl FnOnce()) -> Result<Lock, KeyFileError> {
        let mut waits = Some(waits);
        loop {
            let file = open(path)?;
            let at_once = match how {
                FlockOperation::LockExclusive => FlockOperation::NonBlockingLockExclusive,
                _ => FlockOperation::NonBlockingLockShared,
            };
            let mut locked = retry_on_intr(|| flock(&file, at_once));
            if locked == Err(Errno::WOULDBLOCK) {
                waits.take().into_iter().for_each(|waits| waits());
                locked = retry_on_intr(|| flock(&file, how));
            }
            let lock = Lock(file);
            locked.map_err(|error| failed(path)(error.into()))?;
            // Who had the lock may have put another file in its place.
            let (held, named) = (lock.0.metadata().map_err(failed(path))?, path.metadata().map_err(failed(path))?);
            if (held.dev(), held.ino()) == (named.dev(), named.ino()) {
                return Ok(lock);
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that was forked meanwhile has the file as well, and would hold it on.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
