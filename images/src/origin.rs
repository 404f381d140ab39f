//! Where does a path of the caller's lead? Followed once: what is looked at, judged and shared is one and the same.

use std::io;
use std::path::{Path, PathBuf};

use crate::contains::Trees;
use crate::resolve::ResolveError;
use crate::route::{self, Route};

/// A path of the host, and what it was found to mean. To follow it again may lead elsewhere: who can write a directory on its
/// way may exchange a link there for a directory. What it means has no links, and init opens it without following any.
pub(crate) struct Origin {
    what: &'static str,
    given: PathBuf,
    route: Route,
}

impl Origin {
    /// Follows a path that is to be used as `what`. It must exist.
    pub(crate) fn of(what: &'static str, given: &Path) -> Result<Origin, ResolveError> {
        Origin::from(Path::new("/"), what, given)
    }

    /// The same for one that may start from the working directory, as the kernel names it.
    pub(crate) fn from(cwd: &Path, what: &'static str, given: &Path) -> Result<Origin, ResolveError> {
        let failed = |source| ResolveError::Path { what, path: cwd.join(given), source };
        let route = route::follow_from(cwd, given).map_err(failed)?;
        let end = route.end.symlink_metadata().map_err(failed)?;
        if end.is_dir() || !has_the_form_of_a_directory(given) {
            Ok(Origin { what, given: cwd.join(given), route })
        } else {
            Err(failed(io::ErrorKind::NotADirectory.into()))
        }
    }

    /// What it means, canonical.
    pub(crate) fn end(&self) -> &Path {
        &self.route.end
    }

    /// Whether no link decides where it leads.
    pub(crate) fn is_plain(&self) -> bool {
        self.route.by.is_empty()
    }

    /// Refuses it where what lies in a writable tree decides where it leads: the workload of an earlier run may have laid it
    /// there, and would choose what this one is shown.
    pub(crate) fn not_led_by(&self, writable: &[PathBuf]) -> Result<(), ResolveError> {
        let writable = Trees::of(writable)?;
        for directory in &self.route.by {
            if let Some(tree) = writable.holding(directory)? {
                return Err(ResolveError::Led { what: self.what, path: self.given.clone(), tree: tree.clone() });
            }
        }
        Ok(())
    }
}

/// `file/` and `file/.` mean nothing.
fn has_the_form_of_a_directory(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.ends_with(b"/") || bytes.ends_with(b"/.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_through_a_link_in_a_writable_tree_is_refused_and_a_plain_one_or_another_link_not() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        for name in ["tree/sub/real", "home/secret"] {
            std::fs::create_dir_all(top.join(name)).unwrap();
        }
        symlink("../home", top.join("tree/cache")).unwrap();
        symlink("tree/cache", top.join("through")).unwrap();
        symlink("home", top.join("mine")).unwrap();
        let writable = [top.join("tree")];
        for (path, allowed) in [
            ("tree", true),
            ("tree/sub/real", true),
            ("mine/secret", true),
            ("tree/cache", false),
            ("tree/cache/secret", false),
            ("through", false),
        ] {
            let origin = Origin::of("volume", &top.join(path)).unwrap();
            assert_eq!(origin.not_led_by(&writable).is_ok(), allowed, "{path}");
        }
    }

    #[test]
    fn what_does_not_exist_and_a_file_in_the_place_of_a_directory_are_refused() {
        let top = tempfile::tempdir().unwrap();
        std::fs::write(top.path().join("file"), "").unwrap();
        symlink("missing", top.path().join("dangling")).unwrap();
        for (path, allowed) in
            [("file", true), ("", true), ("file/", false), ("file/.", false), ("file/x", false), ("dangling", false)]
        {
            assert_eq!(Origin::of("volume", &top.path().join(path)).is_ok(), allowed, "{path}");
        }
    }
}
