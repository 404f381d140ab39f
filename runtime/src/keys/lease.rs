//! How does a run begin with a key that is not retired meanwhile? It holds the key's file until it has signed; who retires it waits.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use bottle_evidence::key::SigningKey;
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

use super::{KeyFileError, failed, open, parsed};

/// A key that is not retired before this is dropped.
pub struct Lease {
    key: Arc<SigningKey>,
    _lock: Lock,
}

impl Lease {
    /// The key.
    pub fn key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.key)
    }
}

/// The key in this file. While it is being retired, that is waited for, and this is the new one.
///
/// # Errors
/// [`KeyFileError`].
pub fn hold(path: &Path) -> Result<Lease, KeyFileError> {
    let lock = Lock::take(path, FlockOperation::LockShared, || ())?;
    Ok(Lease { key: Arc::new(parsed(&lock.0, path)?), _lock: lock })
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
