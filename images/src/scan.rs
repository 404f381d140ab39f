//! What lies in a tree that is about to be shared? One walk by the types in the directory entries, which never opens a file.

use std::fs::FileType;
use std::io;
use std::os::unix::fs::{DirEntryExt, FileTypeExt};
use std::path::{Path, PathBuf};

/// The most entries that are looked at.
pub(crate) const LIMIT: usize = 2_000_000;

/// The most sockets and FIFOs in one tree: each is covered by a mount, and each mount is judged by all others.
pub(crate) const DOORS: usize = 256;

/// Why a tree can't be looked at as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Too much in it.
    #[error("{} holds more than {LIMIT} files", tree.display())]
    TooLarge {
        /// The tree.
        tree: PathBuf,
    },
    /// Too many ways to processes outside.
    #[error("{} holds more than {DOORS} sockets and FIFOs", tree.display())]
    TooManyDoors {
        /// The tree.
        tree: PathBuf,
    },
    /// The tree itself can't be read.
    #[error("cannot look into {}", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// One thing in a tree.
pub(crate) struct Found {
    /// Where.
    pub(crate) path: PathBuf,
    /// What the directory says it is.
    pub(crate) kind: FileType,
    /// Its inode number.
    pub(crate) inode: u64,
}

impl Found {
    /// A thing that leads to a process outside.
    pub(crate) fn is_door(&self) -> bool {
        self.kind.is_socket() || self.kind.is_fifo()
    }
}

/// Visits everything below a directory, symbolic links not followed, directories in `skip` not entered.
///
/// A directory that can't be read is passed over: who shares it can't read it either.
pub(crate) fn walk(tree: &Path, skip: &[PathBuf], mut visit: impl FnMut(&Found) -> Enter) -> Result<(), ScanError> {
    let mut left = LIMIT;
    let first = std::fs::read_dir(tree);
    let first = first.map_err(|source| ScanError::Unreadable { path: tree.to_owned(), source })?;
    let mut open = vec![first];
    while let Some(directory) = open.last_mut() {
        let Some(entry) = directory.next() else {
            open.pop();
            continue;
        };
        left = left.checked_sub(1).ok_or_else(|| ScanError::TooLarge { tree: tree.to_owned() })?;
        let Ok(entry) = entry else { continue };
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let found = Found { path: entry.path(), kind, inode: entry.ino() };
        let enter = visit(&found);
        if matches!(enter, Enter::Stop) {
            return Ok(());
        }
        if kind.is_dir() && matches!(enter, Enter::Yes) && !skip.contains(&found.path) {
            open.extend(std::fs::read_dir(&found.path));
        }
    }
    Ok(())
}

/// How the walk goes on.
pub(crate) enum Enter {
    /// Into what was found, if it is a directory.
    Yes,
    /// Not into it.
    No,
    /// Not at all.
    Stop,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn sockets_are_found_however_deep_and_links_are_not_followed() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("/", tree.path().join("a/root")).unwrap();
        let _socket = UnixListener::bind(tree.path().join("a/b/s")).unwrap();
        let mut doors = Vec::new();
        walk(tree.path(), &[], |found| {
            if found.is_door() {
                doors.push(found.path.clone());
            }
            Enter::Yes
        })
        .unwrap();
        assert_eq!(doors, [tree.path().join("a/b/s")]);
    }

    #[test]
    fn a_skipped_directory_is_seen_but_not_entered() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("a/b")).unwrap();
        let mut seen = 0;
        walk(tree.path(), &[tree.path().join("a")], |_| {
            seen += 1;
            Enter::Yes
        })
        .unwrap();
        assert_eq!(seen, 1);
    }
}
