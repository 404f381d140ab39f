//! Where may a policy come from that an annotation names? From one directory of the administrator's, and from nowhere else.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bottle_policy::document::{Document, DocumentError};
use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::guarded::{Unsafe, guarded};
use crate::bounded;

/// No policy is larger.
const MOST: u64 = 32 << 20;

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The directory can't be used.
    #[error("cannot open the directory of policies {}", path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such policy in it.
    #[error("there is no policy {name:?} in {}", directory.display())]
    Missing {
        /// What was asked for.
        name: String,
        /// Where.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could write it.
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
    /// It can't be read.
    #[error("cannot read the policy {name:?}")]
    Read {
        /// Which one.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// What it says is wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// Reads a policy by its name below a directory. No link is followed, and nothing outside is reached.
///
/// # Errors
/// [`PolicyError`]
pub fn read(directory: &Path, name: &str) -> Result<(Document, PathBuf), PolicyError> {
    let opened =
        File::open(directory).map_err(|source| PolicyError::Directory { path: directory.to_owned(), source })?;
    guarded(&opened, directory)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let missing = |source| PolicyError::Missing { name: name.to_owned(), directory: directory.to_owned(), source };
    let file = rustix::fs::openat2(&opened, name, flags, Mode::empty(), resolve);
    let file = File::from(file.map_err(|errno| missing(errno.into()))?);
    let path = directory.join(name);
    if !file.metadata().map_err(missing)?.is_file() {
        return Err(missing(io::ErrorKind::InvalidInput.into()));
    }
    guarded(&file, &path)?;
    let failed = |source| PolicyError::Read { name: name.to_owned(), source };
    let bytes = bounded::read_from(&file, MOST).map_err(failed)?;
    let text =
        String::from_utf8(bytes).map_err(|_| failed(io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8")))?;
    Ok((Document::parse(&text, &path.display().to_string())?, path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const POLICY: &str = "version: 1\ndomains:\n  - pattern: \"a.example\"\n";

    #[test]
    fn a_policy_is_read_beneath_its_directory_and_nowhere_else() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("policies");
        std::fs::create_dir_all(directory.join("team")).unwrap();
        for path in ["policies/a.yaml", "policies/team/b.yaml", "outside.yaml"] {
            std::fs::write(place.path().join(path), POLICY).unwrap();
        }
        symlink(place.path().join("outside.yaml"), directory.join("link.yaml")).unwrap();
        assert!(read(&directory, "a.yaml").is_ok() && read(&directory, "team/b.yaml").is_ok());
        let outside = place.path().join("outside.yaml");
        for name in ["../outside.yaml", outside.to_str().unwrap(), "link.yaml", "none.yaml", "team", "", "/"] {
            assert!(matches!(read(&directory, name), Err(PolicyError::Missing { .. })), "{name}");
        }
    }

    #[test]
    fn a_policy_that_others_can_write_is_none() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("policies");
        std::fs::create_dir(&directory).unwrap();
        let file = directory.join("a.yaml");
        std::fs::write(&file, POLICY).unwrap();
        for (path, mode) in [(&file, 0o664), (&directory, 0o777)] {
            let before = std::fs::metadata(path).unwrap().permissions();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&directory, "a.yaml"), Err(PolicyError::Unsafe(_))), "{}", path.display());
            std::fs::set_permissions(path, before).unwrap();
        }
        assert!(read(&directory, "a.yaml").is_ok());
    }
}
