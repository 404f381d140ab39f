//! How do processes keep out of each other's way? With flock(2), which ends with the process that holds it.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FlockOperation;

use super::{StoreError, failed};

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until nobody holds the file alone.
    pub(crate) fn shared(path: &Path) -> Result<Lock, StoreError> {
        Lock::take(path, FlockOperation::LockShared)
    }

    /// Waits until nobody else holds the file.
    pub(crate) fn exclusive(path: &Path) -> Result<Lock, StoreError> {
        Lock::take(path, FlockOperation::LockExclusive)
    }

    fn take(path: &Path, how: FlockOperation) -> Result<Lock, StoreError> {
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
        let file = file.map_err(failed("open", path))?;
        wait(&file, how).map_err(failed("lock", path))?;
        Ok(Lock { _file: file })
    }

    /// Holds a directory together with others, for as long as it is open.
    pub(crate) fn directory_shared(directory: &File, path: &Path) -> Result<(), StoreError> {
        wait(directory, FlockOperation::LockShared).map_err(failed("lock", path))
    }

    /// Holds a directory alone, unless somebody else has it.
    pub(crate) fn directory_alone(directory: &File) -> bool {
        rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive).is_ok()
    }
}

/// Locks, whatever signals arrive.
pub(super) fn wait(file: impl AsFd, how: FlockOperation) -> std::io::Result<()> {
    Ok(rustix::io::retry_on_intr(|| rustix::fs::flock(&file, how))?)
}
