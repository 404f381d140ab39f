//! Which manifest does a name mean? One small file, read whole and replaced whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::{StoreError, failed, sync_directory};
use crate::digest::Digest;

/// Names and what they mean.
pub type Names = BTreeMap<String, Digest>;

/// Why the names can't be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// A file could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The list is not what bottle writes.
    #[error("the list of images {} is damaged", path.display())]
    Damaged {
        /// The list.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
}

impl NamesError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            NamesError::Store(error) => error.hint(),
            NamesError::Damaged { path, .. } => Some(format!(
                "remove {} and pull or load the images again; what is in the store is not lost",
                path.display()
            )),
        }
    }
}

/// As written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    names: Names,
}

const VERSION: u32 = 1;

/// No file is no names.
pub(super) fn read(path: &Path) -> Result<Names, NamesError> {
    let mut text = String::new();
    match File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Names::new()),
        Err(error) => return Err(failed("read", path)(error).into()),
    }
    let damaged = |source| NamesError::Damaged { path: path.to_owned(), source };
    let document: Document = serde_json::from_str(&text).map_err(damaged)?;
    if document.version != VERSION {
        return Err(damaged(serde::de::Error::custom(format!("version {} is not known", document.version))));
    }
    Ok(document.names)
}

/// Changes the list while nobody else does. A crash leaves the old list or the new one.
pub(super) fn change(root: &Path, change: impl FnOnce(&mut Names)) -> Result<(), NamesError> {
    let (path, next) = (root.join("names.json"), root.join("names.json.new"));
    let _lock = Lock::exclusive(&root.join("names.lock"))?;
    let mut names = read(&path)?;
    change(&mut names);
    let text = serde_json::to_vec_pretty(&Document { version: VERSION, names })
        .map_err(|source| NamesError::Damaged { path: path.clone(), source })?;
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&next);
    file.and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all())).map_err(failed("write", &next))?;
    std::fs::rename(&next, &path).map_err(failed("replace", &path))?;
    Ok(sync_directory(root)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn names_are_kept_replaced_and_forgotten() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(&place.path().join("images")).unwrap();
        assert!(store.names().unwrap().is_empty());
        store.set_names(&["a".into(), "b".into()], Digest::of(b"1")).unwrap();
        store.set_names(&["a".into()], Digest::of(b"2")).unwrap();
        assert_eq!(store.names().unwrap()["a"], Digest::of(b"2"));
        assert!(store.remove_name("a").unwrap());
        assert!(!store.remove_name("a").unwrap());
        assert_eq!(store.names().unwrap().len(), 1);
    }

    #[test]
    fn many_writers_lose_no_name() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        std::thread::scope(|scope| {
            for number in 0..16 {
                let store = &store;
                scope.spawn(move || store.set_names(&[format!("n{number}")], Digest::of(b"x")).unwrap());
            }
        });
        assert_eq!(store.names().unwrap().len(), 16);
    }

    #[test]
    fn a_damaged_list_is_an_error_with_a_way_out() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        std::fs::write(place.path().join("names.json"), "{").unwrap();
        assert!(store.names().unwrap_err().hint().unwrap().contains("names.json"));
    }
}
