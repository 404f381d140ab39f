//! Why is there no log, or none any more?

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use bottle_evidence::audit::{AppendError, LogError};

use crate::segments::SegmentsError;

/// Why a log can't be opened or appended to.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A system call failed.
    #[error("cannot write the audit log {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Its files can't be told.
    #[error(transparent)]
    Segments(#[from] SegmentsError),
    /// Another bottle writes it.
    #[error("another run writes the audit log {}", .0.display())]
    Busy(PathBuf),
    /// It is not a file of its own that only its owner can change.
    #[error("the audit log {} {fault}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// In what it fails.
        fault: Fault,
    },
    /// What is written is not found under its name any more.
    #[error("the audit log {} was removed, renamed or replaced while it was written", .0.display())]
    Moved(PathBuf),
    /// Somebody else wrote to it, or cut it.
    #[error("the audit log {} was changed by somebody else while it was written", .0.display())]
    Changed(PathBuf),
    /// It holds something that is not this key's log.
    #[error("the audit log {} can't be continued", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: LogError,
    },
    /// An entry does not fit.
    #[error("an entry can't be appended to the audit log")]
    Append(#[from] AppendError),
    /// An earlier failure ended it.
    #[error("the audit log failed earlier: {0}")]
    Failed(String),
}

/// Why somebody else could change a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A directory, a FIFO, a device.
    #[error("is no regular file")]
    Kind,
    /// Somebody else's.
    #[error("belongs to uid {0}, and not to the caller")]
    Owner(u32),
    /// Open to others.
    #[error("is mode {0:04o}, and not closed to others")]
    Mode(u32),
    /// It has further names, which may lie where others write.
    #[error("has {0} names, and not one")]
    Names(u64),
}

impl Fault {
    pub(super) fn of(file: &Metadata) -> Option<Fault> {
        match (file.uid(), file.mode() & 0o7777, file.nlink()) {
            _ if !file.is_file() => Some(Fault::Kind),
            (uid, ..) if uid != rustix::process::geteuid().as_raw() => Some(Fault::Owner(uid)),
            (_, mode, _) if mode & 0o077 != 0 => Some(Fault::Mode(mode)),
            (.., names) if names != 1 => Some(Fault::Names(names)),
            _ => None,
        }
    }
}

impl LedgerError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            LedgerError::Unsafe { path, fault: Fault::Mode(_) } => Some(format!("chmod 600 {}", path.display())),
            LedgerError::Busy(_) => Some("give each run an --audit file of its own".into()),
            _ => None,
        }
    }
}
