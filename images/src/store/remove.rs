//! How is a tree of files removed, whatever modes a layer gave them?

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::Errno;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes a directory and all below, never through a link. Nothing there is no error. Directories that their owner can't
/// look into are opened first. However deep it is, two descriptors are held.
///
/// # Errors
/// What the kernel says; ESTALE where someone moves directories meanwhile.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let Some((parent, name)) = path.parent().zip(path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    match rustix::fs::openat(CWD, parent, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => Ok(()),
        parent => Ok(remove_at(&parent?, name.as_encoded_bytes())?),
    }
}

/// The same for a name in a directory.
pub(crate) fn remove_at(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
    let mut above = parent.try_clone().map_err(|_| Errno::MFILE)?;
    let mut names = vec![(CString::new(name).map_err(|_| Errno::INVAL)?, identity(&above)?)];
    // Depth first: what is last in `names` lies in `above` and goes when nothing is left in it.
    while let Some((name, _)) = names.last() {
        let directory = match open(&above, name) {
            Err(Errno::NOENT) if names.len() == 1 => return Ok(()),
            opened => opened?,
        };
        if let Some(below) = empty(&directory)? {
            names.push((below, identity(&directory)?));
            above = directory;
            continue;
        }
        rustix::fs::unlinkat(&above, name, AtFlags::REMOVEDIR)?;
        names.pop();
        if let Some((_, came_from)) = names.last() {
            above = rustix::fs::openat(&above, "..", DIRECTORY, Mode::empty())?;
            // A directory that was moved leads up to elsewhere.
            if identity(&above)? != *came_from {
                return Err(Errno::STALE);
            }
        }
    }
    Ok(())
}

/// Device and inode number.
fn identity(directory: &OwnedFd) -> rustix::io::Result<(u64, u64)> {
    let stat = rustix::fs::fstat(directory)?;
    Ok((stat.st_dev, stat.st_ino))
}

fn open(parent: &OwnedFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    // A mode of a layer's may keep its owner out; root is kept out by nothing.
    match rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()) {
        Ok(directory) => {
            let mode = rustix::fs::fstat(&directory)?.st_mode;
            if mode & 0o700 != 0o700 {
                rustix::fs::fchmod(&directory, Mode::RWXU)?;
            }
            Ok(directory)
        }
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
        }
        Err(error) => Err(error),
    }
}

/// Removes what is no directory; the first directory that is met, if any.
fn empty(directory: &OwnedFd) -> rustix::io::Result<Option<CString>> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => return Ok(Some(name.to_owned())),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether a directory is there that can be opened without following a link.
pub(super) fn opened(path: &Path) -> Option<File> {
    rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty()).ok().map(File::from)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn closed_directories_and_links_are_removed_and_what_links_lead_to_is_not() {
        let place = tempfile::tempdir().unwrap();
        let (tree, other) = (place.path().join("tree"), place.path().join("other"));
        std::fs::create_dir_all(tree.join("a/b/c")).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("kept"), "").unwrap();
        std::fs::write(tree.join("a/b/c/file"), "").unwrap();
        std::os::unix::fs::symlink(&other, tree.join("a/link")).unwrap();
        for closed in ["a/b/c", "a/b", "a"] {
            std::fs::set_permissions(tree.join(closed), PermissionsExt::from_mode(0o000)).unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && other.join("kept").exists());
        remove_tree(&tree).unwrap();
    }

    #[test]
    fn a_tree_of_any_depth_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let mut directory = std::fs::File::open(place.path()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&directory, "d", Mode::RWXU).unwrap();
            directory = rustix::fs::openat(&directory, "d", DIRECTORY, Mode::empty()).unwrap().into();
        }
        remove_tree(&place.path().join("d")).unwrap();
        assert!(!place.path().join("d").exists());
    }
}
