//! Which keys has a place had? The one that signs, and beside it the public halves of those that did.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bottle_evidence::Digest;
use bottle_evidence::key::{KeyError, KeyId, PublicKey};

use super::{KeyFileError, MOST, failed, public};
use crate::bounded;
use crate::durable::directory_of;

/// The public halves of a place's keys.
pub struct OwnKeys {
    /// The one that signs.
    pub current: PublicKey,
    /// Those that did, in the order in which they were retired, each with its file.
    pub retired: Vec<(PublicKey, PathBuf)>,
}

impl OwnKeys {
    /// All of them.
    pub fn all(self) -> Vec<PublicKey> {
        std::iter::once(self.current).chain(self.retired.into_iter().map(|(key, _)| key)).collect()
    }
}

/// The keys of this place. One that a rotation was about to retire when it was interrupted is not retired.
///
/// # Errors
/// [`KeyFileError`], also where a file that should hold a retired key holds something else.
pub fn own(path: &Path) -> Result<OwnKeys, KeyFileError> {
    let path = &fs::canonicalize(path).map_err(failed(path))?;
    let current = public(path)?;
    let owner = fs::metadata(path).map_err(failed(path))?.uid();
    let mut retired = Vec::new();
    for (id, file) in named(path).map_err(failed(directory_of(path)))? {
        if id != current.id() {
            let metadata = fs::metadata(&file).map_err(failed(&file))?;
            if is_anothers((metadata.uid(), metadata.mode()), owner) {
                return Err(KeyFileError::Anothers(file));
            }
            retired.push((one(&file, id)?, file));
        }
    }
    retired.sort_by_key(|(key, _)| key.retirement());
    Ok(OwnKeys { current, retired })
}

/// Where the public half of a retired key is.
pub(super) fn retired_file(path: &Path, id: KeyId) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{id}.pub"))
}

/// The files that are called so.
fn named(path: &Path) -> io::Result<Vec<(KeyId, PathBuf)>> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let id_of = |name: &str| -> Option<Digest> {
        name.strip_prefix(stem.as_ref())?.strip_prefix('-')?.strip_suffix(".pub")?.parse().ok()
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory_of(path))? {
        let entry = entry?;
        found.extend(entry.file_name().to_str().and_then(id_of).map(|id| (id, entry.path())));
    }
    Ok(found)
}

/// Whether a file with this owner and mode may hold what somebody else wrote than the key's owner or root. Whoever can write where
/// the key lies could have us trust a key of theirs.
fn is_anothers((uid, mode): (u32, u32), owner: u32) -> bool {
    (uid != owner && uid != 0) || mode & 0o022 != 0
}

fn one(path: &Path, id: KeyId) -> Result<PublicKey, KeyFileError> {
    let pem = bounded::read_found(path, MOST).map_err(failed(path))?;
    let key = PublicKey::from_pem(&pem).map_err(|source| KeyFileError::Retired { path: path.to_owned(), source })?;
    if key.id() != id || key.retirement().is_none() {
        return Err(KeyFileError::Retired { path: path.to_owned(), source: KeyError::Retirement });
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::super::{find_or_make, rotate};
    use super::*;

    #[test]
    fn what_is_no_retired_key_is_not_trusted_for_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bottle.key");
        let (first, _) = find_or_make(&path).unwrap();
        let rotated = rotate(&path, None, || ()).unwrap();
        let other = bottle_evidence::key::SigningKey::generate().unwrap();
        for pem in [first.to_pem(), other.public().clone().retired_at(crate::clock::now()).to_pem(), "x".into()] {
            fs::write(&rotated.file, pem).unwrap();
            let error = own(&path).err().unwrap();
            assert!(matches!(error, KeyFileError::Retired { .. }) && error.hint().is_some(), "{error}");
        }
        fs::remove_file(&rotated.file).unwrap();
        fs::write(directory.path().join("bottle-notes.pub"), "x").unwrap();
        assert_eq!(own(&path).unwrap().retired.len(), 0);
    }

    #[test]
    fn a_retired_key_that_somebody_else_could_have_put_there_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bottle.key");
        find_or_make(&path).unwrap();
        let file = rotate(&path, None, || ()).unwrap().file;
        assert_eq!(own(&path).unwrap().retired.len(), 1);
        for mode in [0o664, 0o646] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let error = own(&path).err().unwrap();
            assert!(matches!(error, KeyFileError::Anothers(_)) && error.hint().is_some(), "{error}");
        }
        assert!(is_anothers((1001, 0o100644), 1000) && is_anothers((1000, 0o100644), 0));
        assert!(!is_anothers((1000, 0o100644), 1000) && !is_anothers((0, 0o100600), 1000));
    }

    #[test]
    fn a_fifo_in_place_of_a_retired_key_is_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bottle.key");
        find_or_make(&path).unwrap();
        let fifo = retired_file(&path, bottle_evidence::sha256(b"another"));
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(matches!(own(&path), Err(KeyFileError::Read { .. })));
    }
}
