//! What lies in a tree that is about to be shared? One walk by the types in the directory entries, which never opens a file.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, DirEntry, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// The most entries that are looked at.
pub(crate) const LIMIT: usize = 2_000_000;

/// The most mounts that cover something in one tree: each is judged by all others.
pub(crate) const DOORS: usize = 256;

/// The most bytes of paths that wait to be looked into.
const WAITING: usize = 64 << 20;

/// The longest path that the kernel takes, with the zero at its end.
const PATH_MAX: usize = 4096;

/// Why a tree can't be looked at as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Too much in it.
    #[error("{} holds more than {LIMIT} files", tree.display())]
    TooLarge {
        /// The tree.
        tree: PathBuf,
    },
    /// Too many ways to processes outside, and directories that may hold some.
    #[error("{} holds more than {DOORS} sockets, FIFOs and directories that can't be looked into", tree.display())]
    TooManyDoors {
        /// The tree.
        tree: PathBuf,
    },
    /// It belongs to the kernel: what lies in it is a process of the host's, a terminal or a switch.
    #[error("{} is of the kernel's own, in a file system of the type {kind}", tree.display())]
    Kernels {
        /// What was to be shared.
        tree: PathBuf,
        /// Its type, as in `/proc/self/mountinfo`.
        kind: String,
    },
    /// Something lies deeper than a path can say. It can be moved there name by name.
    #[error("below {top:?} in {} lies something whose path is longer than {PATH_MAX} bytes", tree.display())]
    TooDeep {
        /// The tree.
        tree: PathBuf,
        /// The name in the tree that it lies below.
        top: PathBuf,
    },
    /// A directory can't be read.
    #[error("cannot look into {path:?}")]
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
/// Gives back the directories that the caller may not look into: whoever owns one of them can open it later. Whatever else
/// stays unseen is an error.
pub(crate) fn walk(
    tree: &Path,
    skip: &[PathBuf],
    visit: impl FnMut(&Found) -> Enter,
) -> Result<Vec<PathBuf>, ScanError> {
    match walk_past_the_deep(tree, skip, visit)? {
        (_, Some(deep)) => Err(deep),
        (closed, None) => Ok(closed),
    }
}

/// The same, but what lies too deep only stays unseen: the first of it is given back beside the closed directories.
pub(crate) fn walk_past_the_deep(
    tree: &Path,
    skip: &[PathBuf],
    mut visit: impl FnMut(&Found) -> Enter,
) -> Result<(Vec<PathBuf>, Option<ScanError>), ScanError> {
    let unreadable = |path: &Path, error: Errno| ScanError::Unreadable { path: path.to_owned(), source: error.into() };
    let (mut left, mut room) = (LIMIT, WAITING);
    let top = rustix::fs::openat(CWD, tree, DIRECTORY, Mode::empty()).map_err(|error| unreadable(tree, error))?;
    let (mut waiting, mut closed, mut deep) = (vec![tree.to_owned()], Vec::new(), None);
    while let Some(path) = waiting.pop() {
        room = (room + path.as_os_str().len()).min(WAITING);
        let directory = match open_below(&top, path.strip_prefix(tree).unwrap_or(&path)) {
            Ok(directory) => directory,
            Err(Errno::NOENT) if path != tree => continue,
            Err(Errno::ACCESS) if path != tree => {
                closed.push(path);
                continue;
            }
            Err(error) => return Err(unreadable(&path, error)),
        };
        for entry in entries(&directory).map_err(|error| unreadable(&path, error))? {
            left = left.checked_sub(1).ok_or_else(|| ScanError::TooLarge { tree: tree.to_owned() })?;
            let entry = entry.map_err(|error| unreadable(&path, error))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let kind = match kind(&directory, &entry) {
                Err(Errno::NOENT) => continue,
                kind => kind.map_err(|error| unreadable(&path.join(name), error))?,
            };
            let found = Found { path: path.join(name), kind, inode: entry.ino() };
            if found.path.as_os_str().len() >= PATH_MAX {
                deep.get_or_insert_with(|| too_deep(tree, &found.path));
                continue;
            }
            let enter = visit(&found);
            if matches!(enter, Enter::Stop) {
                return Ok((closed, deep));
            }
            if kind.is_dir() && matches!(enter, Enter::Yes) && !skip.contains(&found.path) {
                let length = found.path.as_os_str().len();
                room = room.checked_sub(length).ok_or_else(|| ScanError::TooLarge { tree: tree.to_owned() })?;
                waiting.push(found.path);
            }
        }
    }
    Ok((closed, deep))
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a directory that can be read and searched, so that nothing in it is out of sight.
fn open_below(top: &OwnedFd, relative: &Path) -> rustix::io::Result<OwnedFd> {
    let relative = if relative == Path::new("") { Path::new(".") } else { relative };
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let directory = rustix::fs::openat2(top, relative, DIRECTORY, Mode::empty(), within)?;
    rustix::fs::statat(&directory, ".", AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(directory)
}

/// What a directory holds, without itself and the one above.
fn entries(directory: &OwnedFd) -> rustix::io::Result<impl Iterator<Item = rustix::io::Result<DirEntry>>> {
    let is_other = |entry: &DirEntry| !matches!(entry.file_name().to_bytes(), b"." | b"..");
    Ok(Dir::read_from(directory)?.filter(move |entry| entry.as_ref().map_or(true, is_other)))
}

/// The type that the entry says, or where the file system says none there, the file's own.
fn kind(directory: &OwnedFd, entry: &DirEntry) -> rustix::io::Result<FileType> {
    match entry.file_type() {
        FileType::Unknown => {
            let stat = rustix::fs::statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(FileType::from_raw_mode(stat.st_mode))
        }
        known => Ok(known),
    }
}

/// The first name in the tree tells a person enough.
fn too_deep(tree: &Path, path: &Path) -> ScanError {
    let first = path.strip_prefix(tree).ok().and_then(|below| below.components().next());
    ScanError::TooDeep { tree: tree.to_owned(), top: first.map_or_else(PathBuf::new, |name| name.as_os_str().into()) }
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

    #[test]
    fn a_directory_that_is_closed_is_told_of_and_one_that_cannot_be_searched_too() {
        use std::os::unix::fs::PermissionsExt;
        let tree = tempfile::tempdir().unwrap();
        for (name, mode) in [("hidden", 0o300), ("listed", 0o400), ("open", 0o500)] {
            std::fs::create_dir(tree.path().join(name)).unwrap();
            std::fs::set_permissions(tree.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        let mut closed = walk(tree.path(), &[], |_| Enter::Yes).unwrap();
        closed.sort();
        // Nothing is closed to root.
        let mut expected = vec![tree.path().join("hidden"), tree.path().join("listed")];
        expected.retain(|path| std::fs::read_dir(path).is_err() || std::fs::metadata(path.join(".")).is_err());
        assert_eq!(closed, expected);
    }

    #[test]
    fn what_waits_to_be_looked_into_takes_no_more_memory_than_is_bounded() {
        let tree = tempfile::tempdir().unwrap();
        let name = "n".repeat(250);
        let mut deepest = rustix::fs::openat(CWD, tree.path(), DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..15 {
            rustix::fs::mkdirat(&deepest, name.as_str(), 0o700.into()).unwrap();
            deepest = rustix::fs::openat(&deepest, name.as_str(), DIRECTORY, Mode::empty()).unwrap();
        }
        let each = tree.path().as_os_str().len() + 15 * 251 + 6;
        for number in 0..=WAITING / each {
            assert!(number > 1 || walk(tree.path(), &[], |_| Enter::Yes).is_ok());
            rustix::fs::mkdirat(&deepest, format!("{number:05}"), 0o700.into()).unwrap();
        }
        assert!(matches!(walk(tree.path(), &[], |_| Enter::Yes), Err(ScanError::TooLarge { .. })));
    }

    #[test]
    fn what_lies_deeper_than_a_path_can_say_is_an_error() {
        let tree = tempfile::tempdir().unwrap();
        let name = "n".repeat(250);
        let mut deepest = rustix::fs::openat(CWD, tree.path(), DIRECTORY, Mode::empty()).unwrap();
        for depth in 0..18 {
            rustix::fs::mkdirat(&deepest, name.as_str(), 0o700.into()).unwrap();
            deepest = rustix::fs::openat(&deepest, name.as_str(), DIRECTORY, Mode::empty()).unwrap();
            assert!(depth > 14 || walk(tree.path(), &[], |_| Enter::Yes).is_ok(), "{depth}");
        }
        let error = walk(tree.path(), &[], |_| Enter::Yes).unwrap_err();
        assert!(error.to_string().contains(&name), "{error}");
        assert!(matches!(error, ScanError::TooDeep { .. }));
    }
}
