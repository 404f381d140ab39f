//! Does a path lie in what the workload can write? By device and inode, whatever the path is called.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::mountinfo::{self, MountPoint};
use crate::route;
use crate::scan::{self, Enter};

/// Why it can't be told. The caller must take it for yes.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell where {} lies", path.display())]
pub struct ContainsError {
    path: PathBuf,
    source: io::Error,
}

/// Trees that the workload can write.
#[derive(Debug)]
pub struct Trees<'a> {
    trees: &'a [PathBuf],
    mounts: Vec<MountPoint>,
}

impl<'a> Trees<'a> {
    /// These directories and files, where they are mounted now.
    ///
    /// # Errors
    /// [`ContainsError`] when the mounts can't be read.
    pub fn of(trees: &'a [PathBuf]) -> Result<Trees<'a>, ContainsError> {
        let mounts = mountinfo::read();
        let mounts = mounts.map_err(|source| ContainsError { path: "/proc/self/mountinfo".into(), source })?;
        Ok(Trees { trees, mounts })
    }

    /// The tree that holds `path`, or what decides where it leads, if one does. `path` need not exist: then the nearest
    /// existing directory above it tells.
    ///
    /// Four ways lead in: a directory above it *is* a writable one (device and inode); the same directory is mounted in
    /// two places; the file has a second name (hard link) in a writable tree; a link on its way lies in one.
    ///
    /// # Errors
    /// [`ContainsError`] when a path can't be looked at.
    pub fn holding(&self, path: &Path) -> Result<Option<&'a PathBuf>, ContainsError> {
        let failed = |source| ContainsError { path: path.to_owned(), source };
        let route = route::follow(path).map_err(failed)?;
        for tree in self.trees {
            for place in std::iter::once(route.existing()).chain(route.by.iter().map(PathBuf::as_path)) {
                if holds(tree, place, &self.mounts).map_err(failed)? {
                    return Ok(Some(tree));
                }
            }
        }
        Ok(None)
    }
}

/// What a path means, links followed. It need not exist.
///
/// # Errors
/// [`ContainsError`] when a path can't be looked at.
pub fn meant(path: &Path) -> Result<PathBuf, ContainsError> {
    let route = route::follow(path).map_err(|source| ContainsError { path: path.to_owned(), source })?;
    Ok(route.end)
}

fn holds(tree: &Path, path: &Path, mounts: &[MountPoint]) -> io::Result<bool> {
    let top = identity(tree)?;
    for ancestor in path.ancestors() {
        if identity(ancestor)? == top {
            return Ok(true);
        }
    }
    let Some(place) = Place::of(path, mounts) else {
        return Ok(true);
    };
    if writable_places(tree, mounts).any(|writable| writable.holds(&place)) {
        return Ok(true);
    }
    has_another_name_in(tree, path)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A place as the file system itself counts it, wherever it is mounted.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    device: String,
    path: PathBuf,
}

impl Place {
    fn of(path: &Path, mounts: &[MountPoint]) -> Option<Place> {
        let mount = mountinfo::holding(mounts, path)?;
        let relative = path.strip_prefix(&mount.target).ok()?;
        Some(Place { device: mount.device.clone(), path: mount.root.join(relative) })
    }

    fn holds(&self, other: &Place) -> bool {
        self.device == other.device && other.path.starts_with(&self.path)
    }
}

/// The tree's own place and those of the mounts within it.
fn writable_places<'a>(tree: &'a Path, mounts: &'a [MountPoint]) -> impl Iterator<Item = Place> + 'a {
    let within = mountinfo::below(mounts, tree);
    let within = within.map(|mount| Place { device: mount.device.clone(), path: mount.root.clone() });
    Place::of(tree, mounts).into_iter().chain(within)
}

/// A file with several links is looked for by its inode, which the directory entries tell.
fn has_another_name_in(tree: &Path, path: &Path) -> io::Result<bool> {
    let file = std::fs::metadata(path)?;
    if !file.is_file() || file.nlink() < 2 {
        return Ok(false);
    }
    let tree_metadata = std::fs::metadata(tree)?;
    if tree_metadata.is_file() || tree_metadata.dev() != file.dev() {
        return Ok(false);
    }
    let mut met = false;
    let walked = scan::walk(tree, &[], |found| {
        met |= found.inode == file.ino() && identity(&found.path).is_ok_and(|own| own == (file.dev(), file.ino()));
        if met { Enter::No } else { Enter::Yes }
    });
    // What was too large to be looked through may hold it. What is closed is covered, with all that is in it.
    Ok(met || walked.is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(writable: &[PathBuf], path: &Path) -> Result<Option<PathBuf>, ContainsError> {
        Ok(Trees::of(writable)?.holding(path)?.cloned())
    }

    #[test]
    fn a_file_below_a_writable_directory_is_found_by_any_name() {
        let top = tempfile::tempdir().unwrap();
        let tree = top.path().join("tree");
        std::fs::create_dir_all(tree.join("deep")).unwrap();
        std::fs::write(tree.join("deep/key"), "").unwrap();
        std::os::unix::fs::symlink(&tree, top.path().join("alias")).unwrap();
        let writable = [tree.canonicalize().unwrap()];
        assert!(contains(&writable, &top.path().join("alias/deep/key")).unwrap().is_some());
        assert!(contains(&writable, &top.path().join("other")).unwrap().is_none());
    }

    #[test]
    fn a_file_that_does_not_exist_yet_lies_where_it_would_be_made() {
        let top = tempfile::tempdir().unwrap();
        let writable = [top.path().join("w")];
        std::fs::create_dir(&writable[0]).unwrap();
        assert!(contains(&writable, &top.path().join("w/new/audit.jsonl")).unwrap().is_some());
        std::os::unix::fs::symlink("w/later", top.path().join("dangling")).unwrap();
        assert!(contains(&writable, &top.path().join("dangling")).unwrap().is_some());
    }

    #[test]
    fn a_way_that_leads_through_a_writable_directory_counts() {
        let top = tempfile::tempdir().unwrap();
        let tree = top.path().join("w");
        std::fs::create_dir_all(tree.join("deep")).unwrap();
        std::fs::write(top.path().join("policy"), "").unwrap();
        std::os::unix::fs::symlink("../policy", tree.join("link")).unwrap();
        std::os::unix::fs::symlink("..", tree.join("up")).unwrap();
        std::os::unix::fs::symlink("w/link", top.path().join("alias")).unwrap();
        let writable = [tree];
        for way in ["w/link", "w/up/policy", "w/deep/../../policy", "alias", "w/up/new", "w/new/../../policy"] {
            assert!(contains(&writable, &top.path().join(way)).unwrap().is_some(), "{way}");
        }
        // The tree itself can't be exchanged from inside, so that `../policy` in it is what it is.
        assert!(contains(&writable, &top.path().join("w/../policy")).unwrap().is_none());
    }

    #[test]
    fn a_second_name_in_a_writable_directory_counts() {
        let top = tempfile::tempdir().unwrap();
        let writable = [top.path().join("w")];
        std::fs::create_dir(&writable[0]).unwrap();
        std::fs::write(top.path().join("key"), "").unwrap();
        assert!(contains(&writable, &top.path().join("key")).unwrap().is_none());
        std::fs::hard_link(top.path().join("key"), writable[0].join("innocent")).unwrap();
        assert!(contains(&writable, &top.path().join("key")).unwrap().is_some());
    }

    #[test]
    fn a_directory_that_is_mounted_twice_is_one_place() {
        let mount = |target: &str, root: &str| MountPoint {
            id: 9,
            options: "rw".into(),
            device: "8:1".into(),
            root: root.into(),
            target: target.into(),
            kind: "ext4".into(),
        };
        let mounts = [mount("/", "/"), mount("/again", "/src/sub")];
        let elsewhere = Place::of(Path::new("/again/key"), &mounts).unwrap();
        assert!(writable_places(Path::new("/src"), &mounts).any(|place| place.holds(&elsewhere)));
        let outside = Place::of(Path::new("/srcs"), &mounts).unwrap();
        assert!(!writable_places(Path::new("/src"), &mounts).any(|place| place.holds(&outside)));
    }
}
