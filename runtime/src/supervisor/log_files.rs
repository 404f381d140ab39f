//! What is asked of the directory that a log lies in? Its files, which nobody else can change, made and removed for good.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::ledger_error::{Fault, LedgerError};
use crate::durable::sync_directory_of;
use crate::segments;

/// The files of one log, by their numbers from 1.
pub(super) struct Files {
    log: PathBuf,
}

/// Whether a file may be there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Wanted,
    Refused,
}

impl Files {
    pub(super) fn of(log: &Path) -> Files {
        Files { log: log.to_owned() }
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        segments::path(&self.log, number)
    }

    /// The first one, made where it is not there. Who has it open is the log's writer, alone.
    pub(super) fn first(&self) -> Result<File, LedgerError> {
        let file = self.opened(1, Existing::Wanted)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LedgerError::Busy(self.log.clone())),
            Err(errno) => Err(self.failed(1)(errno.into())),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> Result<u64, LedgerError> {
        Ok(segments::of_own(&self.log)?.len() as u64)
    }

    /// A further one that is there.
    pub(super) fn further(&self, number: u64) -> Result<File, LedgerError> {
        self.opened(number, Existing::Wanted)
    }

    /// A further one that was not there. Its name is not on the disk before [`Files::synchronise`].
    pub(super) fn new_one(&self, number: u64) -> Result<File, LedgerError> {
        self.opened(number, Existing::Refused)
    }

    pub(super) fn remove(&self, number: u64) -> Result<(), LedgerError> {
        std::fs::remove_file(self.path(number)).map_err(self.failed(number))
    }

    /// Returns when the names that there are, and no others, are on the disk.
    pub(super) fn synchronise(&self) -> Result<(), LedgerError> {
        sync_directory_of(&self.log).map_err(self.failed(1))
    }

    /// Whether a file still is the one that has its name. What is written to another is lost to whoever reads the log.
    pub(super) fn check_name(&self, number: u64, file: &File) -> Result<(), LedgerError> {
        let path = self.path(number);
        let held = file.metadata().map_err(self.failed(number))?;
        match path.symlink_metadata() {
            Ok(named) if (named.dev(), named.ino()) == (held.dev(), held.ino()) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(number)(error)),
            _ => Err(LedgerError::Moved(path)),
        }
    }

    /// Whether a file has what was written to it, and no more.
    pub(super) fn check_length(&self, number: u64, file: &File, length: u64) -> Result<(), LedgerError> {
        match file.metadata().map_err(self.failed(number))?.len() == length {
            true => Ok(()),
            false => Err(LedgerError::Changed(self.path(number))),
        }
    }

    /// What went wrong with this file.
    pub(super) fn failed(&self, number: u64) -> impl FnOnce(io::Error) -> LedgerError + use<> {
        let path = self.path(number);
        |source| LedgerError::Io { path, source }
    }

    fn opened(&self, number: u64, existing: Existing) -> Result<File, LedgerError> {
        let mut options = File::options();
        options.read(true).append(true).create(true).create_new(existing == Existing::Refused).mode(0o600);
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_NONBLOCK);
        let file = options.open(self.path(number)).map_err(self.failed(number))?;
        match Fault::of(&file.metadata().map_err(self.failed(number))?) {
            Some(fault) => Err(LedgerError::Unsafe { path: self.path(number), fault }),
            None => Ok(file),
        }
    }
}
