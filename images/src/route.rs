//! By which directories does a path lead to what it means? Whoever can write one of them chooses what it means next time.

use std::io;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows in one path.
const LINKS: usize = 40;

/// Where a path leads, and what decides that it leads there.
pub(crate) struct Route {
    /// What it means, without links. It need not exist.
    pub(crate) end: PathBuf,
    /// The directories with the links that were followed, and with the directories that were entered only to be left by
    /// `..`: an entry that is exchanged there leads elsewhere.
    pub(crate) by: Vec<PathBuf>,
}

/// Follows a path as the kernel would, were what is missing made as directories.
pub(crate) fn follow(path: &Path) -> io::Result<Route> {
    follow_from(Path::new("/"), &std::path::absolute(path)?)
}

/// The same from a directory whose path has no links, and is not followed: one that is there now was laid since.
pub(crate) fn follow_from(directory: &Path, path: &Path) -> io::Result<Route> {
    let mut route = Route { end: directory.to_owned(), by: Vec::new() };
    let mut left = LINKS;
    route.go(path, &mut left)?;
    Ok(route)
}

impl Route {
    fn go(&mut self, path: &Path, left: &mut usize) -> io::Result<()> {
        for part in path.components() {
            match part {
                Component::RootDir => self.end = "/".into(),
                Component::ParentDir => self.leave(),
                Component::Normal(name) => self.enter(name.as_ref(), left)?,
                Component::CurDir | Component::Prefix(_) => {}
            }
        }
        Ok(())
    }

    fn leave(&mut self) {
        if self.end.pop() {
            self.by.push(existing(&self.end).to_owned());
        }
    }

    fn enter(&mut self, name: &Path, left: &mut usize) -> io::Result<()> {
        let entry = self.end.join(name);
        match std::fs::symlink_metadata(&entry) {
            Ok(metadata) if metadata.is_symlink() => {
                *left = left.checked_sub(1).ok_or(rustix::io::Errno::LOOP)?;
                self.by.push(self.end.clone());
                self.go(&std::fs::read_link(&entry)?, left)
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                self.end = entry;
                Ok(())
            }
        }
    }

    /// What there is of the end: itself, or the nearest directory above that exists.
    pub(crate) fn existing(&self) -> &Path {
        existing(&self.end)
    }
}

fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_route_ends_where_the_kernel_says() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("a/b")).unwrap();
        symlink("a/b/", top.join("link")).unwrap();
        symlink(top.join("link/.."), top.join("a/b/again")).unwrap();
        for path in ["a", "link", "link/..", "link/../b/again", "a/./b/../b/again/b"] {
            let route = follow(&top.join(path)).unwrap();
            assert_eq!(route.end, top.join(path).canonicalize().unwrap(), "{path}");
        }
    }

    #[test]
    fn what_is_missing_is_taken_for_a_directory() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        symlink("missing/deep", top.join("link")).unwrap();
        let route = follow(&top.join("link/../file")).unwrap();
        assert_eq!((route.end.as_path(), route.existing()), (top.join("missing/file").as_path(), top.as_path()));
    }

    #[test]
    fn a_link_to_itself_is_an_error() {
        let top = tempfile::tempdir().unwrap();
        symlink("loop", top.path().join("loop")).unwrap();
        assert!(follow(&top.path().join("loop")).is_err());
    }
}
