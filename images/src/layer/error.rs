//! Why was a layer not unpacked?

use std::io;

use rustix::io::Errno;

use super::archive::ArchiveError;
use crate::digest::Digest;
use crate::limits;

/// Why a layer was not unpacked. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The archive can't be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It can't be decompressed.
    #[error("the layer can't be decompressed: it is damaged or cut off")]
    Packed(#[source] io::Error),
    /// It is not what the configuration says.
    #[error("the layer's content is not what the image's configuration says: it is {actual}")]
    Mismatch {
        /// The digest of what it unpacks to.
        actual: Digest,
    },
    /// It unpacks to far more than was transferred.
    #[error("the layer unpacks to more than {bytes} bytes from {packed}: that is a bomb")]
    Bomb {
        /// How much came out until it was stopped.
        bytes: u64,
        /// How many bytes it has packed.
        packed: u64,
    },
    /// The image has too much of something.
    #[error("the image has more than {limit} {what}, which are the most that is taken")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// An entry asks for what can't be.
    #[error("the layer's entry {path:?} {why}")]
    Entry {
        /// Its path.
        path: String,
        /// What it asks for, as the end of a sentence.
        why: String,
    },
    /// An entry can't be made.
    #[error("cannot make the layer's entry {path:?}")]
    Make {
        /// Its path.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The directory can't be used.
    #[error("cannot unpack the layer")]
    Kernel(#[from] Errno),
    /// A whiteout can't be made.
    #[error("cannot make a whiteout (a character device 0/0)")]
    Whiteout(#[source] Errno),
    /// A directory can't be marked.
    #[error("cannot mark a directory as opaque")]
    Opaque(#[source] Errno),
    /// The layers below must be known first.
    #[error("the layer needs files of the layers below")]
    NeedsBelow,
}

impl LayerError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let kernel = match self {
            LayerError::Make { source, .. } => source.raw_os_error().map(Errno::from_raw_os_error),
            LayerError::Kernel(errno) | LayerError::Whiteout(errno) | LayerError::Opaque(errno) => Some(*errno),
            LayerError::Bomb { .. } => {
                return Some(format!("a layer may unpack to {} times its size, or 1 GiB", limits::RATIO));
            }
            _ => None,
        };
        match kernel? {
            Errno::NOSPC | Errno::DQUOT => {
                Some("make room on that file system: `bottle image prune` removes what no name refers to".into())
            }
            Errno::NOTSUP => Some(
                "the store's file system lacks extended attributes: set BOTTLE_ROOT to a directory on another".into(),
            ),
            Errno::PERM => Some(
                "the kernel or the store's file system does not permit it: set BOTTLE_ROOT to a directory on another"
                    .into(),
            ),
            _ => None,
        }
    }

    pub(super) fn path(why: &str, path: &[u8]) -> LayerError {
        LayerError::Entry { path: shown(path), why: why.to_owned() }
    }

    pub(super) fn target(path: &[u8], target: &[u8]) -> LayerError {
        LayerError::Entry {
            path: shown(path),
            why: format!("is a hard link to {:?}, which is no file of the image", shown(target)),
        }
    }

    /// Says which entry it was, where it does not yet.
    pub(super) fn at(self, path: &[u8]) -> LayerError {
        match self {
            LayerError::Kernel(errno) => LayerError::Make { path: shown(path), source: errno.into() },
            other => other,
        }
    }
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(200).collect()
}
