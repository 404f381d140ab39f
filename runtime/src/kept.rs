//! What do runs leave each other? The layer upon an image, where it has a name; else it vanishes with the bottle.
//!
//! ```text
//! kept/NAME/base.json   upon what it lies, and whose ids its files have
//! kept/NAME/upper       what was changed
//! kept/NAME/work        the kernel's
//! kept/.removed-N       one that is being removed
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bottle_images::{Digest, IdMap, Ids, NamesError, Store, StoreError};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::durable::sync_directory_of;
use crate::ids::RANGES;
use crate::state::{State, StateError, make_private};

/// What a kept layer is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptName(String);

/// A text that can't be such a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} can't be the name of a kept layer")]
pub struct KeptNameError(String);

/// Upon what a layer lies, as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base {
    /// The digest of the image's manifest, or `dir:PATH`.
    image: String,
    /// Which of the ranges of ids its files have, where root runs it.
    range: Option<u32>,
    /// Whose ids its files have, where an ordinary user with a range of ids runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    map: Option<IdMap>,
}

/// How a layer was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Not at all.
    NotYet,
    /// All its files are whose it is.
    WithOneId,
    /// They have these ids.
    With(IdMap),
}

/// A layer that this process alone goes on with, for as long as this lives.
#[derive(Debug)]
pub struct Kept {
    directory: PathBuf,
    range: Option<u32>,
    _held: File,
}

/// A layer in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it is called.
    pub name: KeptName,
    /// The digest of the image's manifest, or `dir:PATH`.
    pub image: String,
}

/// Why a layer can't be kept, gone on with or removed.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The state directories can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store of images can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The names of images can't be changed.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// A file can't be used.
    #[error("cannot use the kept layer {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is written beside a layer is not what bottle writes.
    #[error("the kept layer {} is damaged", path.display())]
    Damaged {
        /// Which one.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
    /// The image has no layers.
    #[error("the image `host` has no layer that could be kept")]
    Host,
    /// The layer lies upon something else.
    #[error("what is kept as {name} lies upon another image: {image}")]
    Other {
        /// What it is called.
        name: KeptName,
        /// Upon what it lies.
        image: String,
    },
    /// Its files have ids that are not the caller's, or not in the same places.
    #[error("what is kept as {0} has files of other ids than this run")]
    OtherIds(KeptName),
    /// Another run has it.
    #[error("another run goes on with what is kept as {0}")]
    Busy(KeptName),
    /// All ranges of ids belong to a layer.
    #[error("{RANGES} layers are kept already")]
    Exhausted,
}

impl KeptError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            KeptError::State(_) => Some("set BOTTLE_ROOT to a directory of your own".into()),
            KeptError::Store(error) => error.hint(),
            KeptError::Names(error) => error.hint(),
            KeptError::Host => {
                Some("what is changed in the working directory stays; the rest of `host` vanishes".into())
            }
            KeptError::Other { name, image } if image.starts_with("dir:") => {
                Some(format!("run {image}, or `bottle keep rm {name}` and begin anew"))
            }
            KeptError::Other { name, image } => {
                Some(format!("give the image by its digest (NAME@{image}), or `bottle keep rm {name}` and begin anew"))
            }
            KeptError::OtherIds(name) => Some(format!(
                "give the caller the same lines in /etc/subuid and /etc/subgid again (`bottle doctor` tells what works), or \
                 `bottle keep rm {name}` and begin anew"
            )),
            KeptError::Busy(_) => Some("wait for it to end, or give another name".into()),
            KeptError::Damaged { path, .. } => Some(format!("remove {}: what was kept is lost", path.display())),
            KeptError::Exhausted => Some("bottle keep ls, bottle keep rm NAME".into()),
            KeptError::Io { path, source } if source.kind() == io::ErrorKind::PermissionDenied => Some(format!(
                "files in it have ids that are not the caller's, or not any more: sudo rm -rf {}",
                path.display()
            )),
            KeptError::Io { .. } => None,
        }
    }
}

impl FromStr for KeptName {
    type Err = KeptNameError;

    /// As container engines have it: letters, digits, `_`, `.` and `-`, the first a letter or digit; up to 64.
    fn from_str(text: &str) -> Result<KeptName, KeptNameError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        match begins && text.len() <= 64 && text.bytes().all(is_plain) {
            true => Ok(KeptName(text.to_owned())),
            false => Err(KeptNameError(text.chars().take(100).collect())),
        }
    }
}

impl KeptNameError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "write letters, digits, `_`, `.` and `-`, the first a letter or digit, up to 64"
    }
}

impl fmt::Display for KeptName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl KeptName {
    /// The name that keeps the image below it from being pruned; no registry has such a one.
    fn in_store(&self) -> String {
        format!("kept:/{}", self.0)
    }
}

impl Kept {
    /// Goes on with the layer of this name upon this image, or begins it.
    pub(crate) fn take(
        state: &State,
        name: &KeptName,
        image: &str,
        uid: u32,
        map: Option<IdMap>,
    ) -> Result<Kept, KeptError> {
        let all = state.data.join("kept");
        let directory = all.join(&name.0);
        make_private(&all, uid)?;
        let _alone = lock(&all)?;
        make_private(&directory, uid)?;
        let held = hold_alone(&directory, name)?;
        let base = match read(&directory)? {
            Some(base) => base,
            None => {
                let range = if uid == 0 { Some(free_range(&all)?) } else { None };
                begin(&directory, Base { image: image.to_owned(), range, map })?
            }
        };
        if base.image != image {
            return Err(KeptError::Other { name: name.clone(), image: base.image });
        }
        // Another run may have begun it meanwhile.
        if base.map != map {
            return Err(KeptError::OtherIds(name.clone()));
        }
        if let Ok(manifest) = base.image.parse::<Digest>() {
            Store::open(&state.data.join("images"))?.set_names(&[name.in_store()], manifest)?;
        }
        Ok(Kept { directory, range: base.range, _held: held })
    }

    /// Where the layer lies.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Which of the ranges of ids its files have.
    pub(crate) fn range(&self) -> Option<u32> {
        self.range
    }
}

/// How the layer of this name was begun.
pub(crate) fn begun(state: &State, name: &KeptName) -> Result<Begun, KeptError> {
    let base = read(&state.data.join("kept").join(&name.0))?;
    Ok(base.map_or(Begun::NotYet, |base| base.map.map_or(Begun::WithOneId, Begun::With)))
}

/// All that is kept, by name.
///
/// # Errors
/// Where a directory can't be read or a layer is damaged.
pub fn list(state: &State) -> Result<Vec<Listed>, KeptError> {
    let all = state.data.join("kept");
    let listed = match std::fs::read_dir(&all) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(failed(&all))?,
    };
    let mut layers = Vec::new();
    for entry in listed {
        let entry = entry.map_err(failed(&all))?;
        let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let (Some(name), Some(base)) = (name, read(&entry.path())?) {
            layers.push(Listed { name, image: base.image });
        }
    }
    layers.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(layers)
}

/// Removes what is kept under a name; false where nothing is.
///
/// # Errors
/// [`KeptError::Busy`], and where a file can't be removed.
pub fn remove(state: &State, name: &KeptName, ids: &Ids) -> Result<bool, KeptError> {
    let all = state.data.join("kept");
    let directory = all.join(&name.0);
    if !all.is_dir() {
        return Ok(false);
    }
    let alone = lock(&all)?;
    if !directory.is_dir() {
        return Ok(false);
    }
    let held = hold_alone(&directory, name)?;
    Store::open(&state.data.join("images"))?.remove_name(&name.in_store())?;
    let removed = next_removed(&all);
    std::fs::rename(&directory, &removed).map_err(failed(&directory))?;
    // What a workload has made may take long to remove: nobody waits for that.
    drop(alone);
    ids.remove(&removed).map_err(failed(&removed))?;
    drop(held);
    // It is gone; what a crash left of others can be tried again.
    let _ = clear(&all, ids);
    Ok(true)
}

/// What the name of a layer that is being removed begins with. No layer is called so.
const REMOVED: &str = ".removed-";

/// A name that no other has; who asks is alone.
fn next_removed(all: &Path) -> PathBuf {
    let mut names = (0_u64..).map(|number| all.join(format!("{REMOVED}{number}")));
    names.find(|path| path.symlink_metadata().is_err()).unwrap_or_default()
}

/// Removes what a crash left of layers that were to be removed. Who removes one holds it until it is gone.
fn clear(all: &Path, ids: &Ids) -> Result<(), KeptError> {
    for entry in std::fs::read_dir(all).map_err(failed(all))? {
        let path = entry.map_err(failed(all))?.path();
        let is_left = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(REMOVED.as_bytes()));
        if is_left && let Some(_held) = abandoned(all, &path)? {
            ids.remove(&path).map_err(failed(&path))?;
        }
    }
    Ok(())
}

/// The directory, held, where nobody else removes it and it was not gone before it was held.
fn abandoned(all: &Path, path: &Path) -> Result<Option<File>, KeptError> {
    let _alone = lock(all)?;
    let Ok(held) = File::open(path) else { return Ok(None) };
    let is_ours = rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok();
    let is_there = rustix::fs::fstat(&held).is_ok_and(|stat| stat.st_nlink > 0);
    Ok((is_ours && is_there).then_some(held))
}

/// Who begins or removes a layer is alone meanwhile.
fn lock(all: &Path) -> Result<File, KeptError> {
    let alone = hold(all)?;
    rustix::fs::flock(&alone, FlockOperation::LockExclusive).map_err(|error| failed(all)(error.into()))?;
    Ok(alone)
}

fn hold(path: &Path) -> Result<File, KeptError> {
    File::open(path).map_err(failed(path))
}

fn hold_alone(directory: &Path, name: &KeptName) -> Result<File, KeptError> {
    let held = hold(directory)?;
    match rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(held),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(KeptError::Busy(name.clone())),
        Err(error) => Err(failed(directory)(error.into())),
    }
}

fn read(directory: &Path) -> Result<Option<Base>, KeptError> {
    let path = directory.join("base.json");
    let text = match std::fs::read(&path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        text => text.map_err(failed(&path))?,
    };
    let damaged = |source| KeptError::Damaged { path: directory.to_owned(), source };
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}

/// A range that no layer has; those of runs without one are taken from the other end.
fn free_range(all: &Path) -> Result<u32, KeptError> {
    let mut taken = Vec::new();
    for entry in std::fs::read_dir(all).map_err(failed(all))? {
        let entry = entry.map_err(failed(all))?;
        taken.extend(read(&entry.path())?.and_then(|base| base.range));
    }
    (0..RANGES).rev().find(|range| !taken.contains(range)).ok_or(KeptError::Exhausted)
}

/// Writes it whole: a crash leaves a layer that has not begun.
fn begin(directory: &Path, base: Base) -> Result<Base, KeptError> {
    let (path, next) = (directory.join("base.json"), directory.join("base.json.new"));
    let text = serde_json::to_vec(&base).map_err(|error| failed(&path)(error.into()))?;
    let write = || {
        let mut file = File::create(&next)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&next, &path)?;
        sync_directory_of(&path)
    };
    write().map_err(failed(&path))?;
    Ok(base)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> KeptError + use<> {
    let path = path.to_owned();
    move |source| KeptError::Io { path: path.clone(), source }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
