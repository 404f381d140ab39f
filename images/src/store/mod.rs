//! Where do images lie? One directory, addressed by content, which all runs and all processes of a user share.
//!
//! ```text
//! blobs/sha256/HEX     manifests, configurations, layers as they were transferred
//! partial/HEX          what has arrived of a blob so far; locked by whoever writes it
//! layers/FLAVOUR/HEX/  a layer's files, named by what they are made of; locked (shared) while in use
//! tmp/                 layers that are being unpacked; locked by whoever does it
//! names.json           which manifest each name means
//! lock                 shared by whoever adds, exclusive for whoever prunes
//! ```
//!
//! What has its final name is whole and durable: it was written under another name, verified, synced and renamed.

mod blob;
mod lock;
mod names;
mod prune;
mod remove;

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

pub use blob::{BlobError, Ingest};
pub(crate) use lock::Lock;
pub use names::{Names, NamesError};
pub use prune::{PruneError, Pruned};
pub(crate) use remove::remove_at;
pub use remove::remove_tree;

use crate::digest::Digest;

/// The directory of images.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct StoreError {
    pub(crate) what: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

impl StoreError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self.source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
                Some("make room on that file system: `bottle image prune` removes what no name refers to".into())
            }
            Some(rustix::io::Errno::ROFS | rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
                Some("the store must be writable: set BOTTLE_ROOT to a directory of your own".into())
            }
            _ => None,
        }
    }
}

/// Turns the kernel's answer into an error that says what was done to which path.
pub(crate) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError { what, path: path.to_owned(), source }
}

/// Who adds to the store, or reads what no name keeps yet, holds one: nothing is pruned meanwhile.
#[derive(Debug)]
pub struct Session {
    _lock: Lock,
}

impl Store {
    /// Opens the store in this directory and makes what is missing. The directory is closed to others (0700): layers hold
    /// programs that are setuid.
    ///
    /// # Errors
    /// Where a directory can't be made.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        for path in ["", "blobs", "blobs/sha256", "partial", "layers", "tmp"].map(|part| root.join(part)) {
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed("make", &path))?;
        }
        let metadata = std::fs::symlink_metadata(root).map_err(failed("look at", root))?;
        if metadata.mode() & 0o077 != 0 {
            let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            std::fs::set_permissions(root, closed).map_err(failed("close to others", root))?;
        }
        Ok(Store { root: root.to_owned() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Keeps everybody from pruning until the session is dropped; waits for who is pruning now.
    ///
    /// # Errors
    /// Where the lock can't be opened.
    pub fn enter(&self) -> Result<Session, StoreError> {
        Ok(Session { _lock: Lock::shared(&self.root.join("lock"))? })
    }

    /// The names in the store and the manifests that they mean.
    ///
    /// # Errors
    /// Where the list can't be read or is none.
    pub fn names(&self) -> Result<Names, NamesError> {
        names::read(&self.root.join("names.json"))
    }

    /// Lets names mean this manifest, in one step, durable when it returns.
    ///
    /// # Errors
    /// Where the list can't be read or replaced.
    pub fn set_names(&self, added: &[String], manifest: Digest) -> Result<(), NamesError> {
        names::change(&self.root, |names| {
            for name in added {
                names.insert(name.clone(), manifest);
            }
        })
    }

    /// Forgets a name. Whether it was known.
    ///
    /// # Errors
    /// Where the list can't be read or replaced.
    pub fn remove_name(&self, name: &str) -> Result<bool, NamesError> {
        let mut known = false;
        names::change(&self.root, |names| known = names.remove(name).is_some())?;
        Ok(known)
    }

    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    pub(crate) fn partial_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("partial").join(digest.hex())
    }

    pub(crate) fn layers_path(&self) -> PathBuf {
        self.root.join("layers")
    }

    pub(crate) fn lock_path(&self, what: &str) -> PathBuf {
        self.root.join(format!("{what}.lock"))
    }

    pub(crate) fn tmp_path(&self) -> PathBuf {
        self.root.join("tmp")
    }
}

/// Makes a change of names in this directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed("sync", path))
}
