//! What does this image mean on this host, for this caller?

use std::io;
use std::path::PathBuf;

use crate::contains::ContainsError;
use crate::context::Context;
use crate::plan::MountPlan;
use crate::reference::ImageRef;
use crate::scan::ScanError;
use crate::{directory, host};

/// Why an image can't be had. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The working directory would open too much.
    #[error("the working directory {} can't be shared: it {why}", path.display())]
    TooWide {
        /// The directory, canonical.
        path: PathBuf,
        /// What it is or holds.
        why: &'static str,
    },
    /// A path does not exist or can't be looked at.
    #[error("cannot use the {what} {}", path.display())]
    Path {
        /// What it was to be.
        what: &'static str,
        /// The path as given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path is in the workload's hands.
    #[error("the {what} {} leads through a link in {}, which the workload can write", path.display(), tree.display())]
    Led {
        /// What it was to be.
        what: &'static str,
        /// The path as given.
        path: PathBuf,
        /// In which shared tree.
        tree: PathBuf,
    },
    /// Whether the workload has a hand in a path can't be told.
    #[error(transparent)]
    Contains(#[from] ContainsError),
    /// A tree that should be shared can't be looked through.
    #[error("a shared directory can't be checked for sockets and repositories")]
    Scan(#[from] ScanError),
    /// A path is no UTF-8, so that no plan can name it.
    #[error("the path {} is not UTF-8", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// `-w` is no absolute path.
    #[error("the working directory {} is not a plain absolute path", path.display())]
    Workdir {
        /// As given.
        path: PathBuf,
    },
}

impl ResolveError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ResolveError::TooWide { .. } => Some("run bottle in the directory of one project"),
            ResolveError::Path { .. } | ResolveError::Contains(_) => None,
            ResolveError::Led { .. } => {
                Some("an earlier run may have laid the link; if it is yours, name what it leads to")
            }
            ResolveError::Scan(ScanError::TooManyDoors { .. }) => Some(
                "remove those that nobody needs: `find DIR -type p -delete` for FIFOs, `-type s` for sockets; chmod u+rwx \
                 opens your directories",
            ),
            ResolveError::Scan(ScanError::TooLarge { .. }) => Some("share a smaller directory"),
            ResolveError::Scan(ScanError::TooDeep { .. }) => Some("move or remove it, or share another directory"),
            ResolveError::Scan(ScanError::Unreadable { .. }) => Some("chmod u+rwx it, or share another directory"),
            ResolveError::NotUtf8 { .. } => Some("rename it, or share another directory"),
            ResolveError::Workdir { .. } => Some("give -w an absolute path inside the bottle"),
        }
    }
}

/// Looks at the host and plans the root file system.
///
/// # Errors
/// [`ResolveError`] when the image, the working directory or a volume can't be used.
pub fn resolve(image: &ImageRef, context: &Context) -> Result<MountPlan, ResolveError> {
    let plan = match image {
        ImageRef::Host => host::plan(context)?,
        ImageRef::Directory(path) => directory::plan(path, context)?,
    };
    match plan.mounts.iter().find(|mount| mount.target.to_str().is_none()) {
        Some(mount) => Err(ResolveError::NotUtf8 { path: mount.target.clone() }),
        None => Ok(plan),
    }
}

/// A path of the host in canonical form, or why it can't be used as `what`.
pub(crate) fn canonical(what: &'static str, path: &std::path::Path) -> Result<PathBuf, ResolveError> {
    path.canonicalize().map_err(|source| ResolveError::Path { what, path: path.to_owned(), source })
}
