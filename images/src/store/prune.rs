//! What can go? What no name refers to and nobody uses.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::lock::Lock;
use super::remove::opened;
use super::{NamesError, Store, StoreError, failed};
use crate::digest::Digest;
use crate::ids::Ids;
use crate::image::{Image, ImageError};
use crate::unpack;

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Manifests, configurations and transferred layers.
    pub blobs: Vec<Digest>,
    /// Unpacked layers.
    pub layers: Vec<Digest>,
    /// What earlier pulls and unpackings left half-made.
    pub remains: usize,
    /// Bytes that all of these took on the disk, where several names of one file count once each.
    pub bytes: u64,
    /// Unpacked layers that no name refers to and that are in use.
    pub in_use: usize,
    /// What can't be removed: files in it have ids that are not the caller's, or not any more.
    pub stuck: Vec<PathBuf>,
}

/// Why nothing was removed, or not all.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The names could not be read.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// An image that has a name can't be read, so that what it needs is not known. Nothing was removed.
    #[error("what {name} needs can't be told, so nothing was removed")]
    Image {
        /// The name.
        name: String,
        /// Why it can't be read.
        source: Box<ImageError>,
    },
}

impl PruneError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            PruneError::Store(error) => error.hint(),
            PruneError::Names(error) => error.hint(),
            PruneError::Image { name, .. } => {
                Some(format!("pull or load it again, or give it up: bottle image rm {name}"))
            }
        }
    }
}

impl Store {
    /// Removes what no name refers to. Waits until nobody adds anything; what runs use stays.
    ///
    /// # Errors
    /// [`PruneError`]; what was removed until then is gone, and what is left is whole.
    pub fn prune(&self, ids: &Ids) -> Result<Pruned, PruneError> {
        let _alone = Lock::exclusive(&self.root.join("lock"))?;
        let (mut blobs, mut layers) = (BTreeSet::new(), BTreeSet::new());
        for (name, manifest) in self.names()? {
            let image =
                Image::read(self, manifest).map_err(|source| PruneError::Image { name, source: source.into() })?;
            blobs.extend(image.blobs());
            layers.extend(unpack::keys(image.diff_ids()));
        }
        let mut pruning = Pruning { ids, pruned: Pruned::default() };
        self.prune_blobs(&blobs, &mut pruning)?;
        // Before layers are moved there: what can't be removed is named once.
        for half_made in entries(&self.tmp_path())?.into_iter().chain(entries(&self.root.join("partial"))?) {
            if is_free(&half_made) {
                pruning.pruned.remains += usize::from(pruning.remove(&half_made)?);
            }
        }
        for flavour in entries(&self.layers_path())? {
            let none = BTreeSet::new();
            let kept = if ids.is_past(&flavour) { &none } else { &layers };
            self.prune_layers(&flavour, kept, &mut pruning)?;
        }
        Ok(pruning.pruned)
    }

    fn prune_blobs(&self, kept: &BTreeSet<Digest>, pruning: &mut Pruning<'_>) -> Result<(), StoreError> {
        for path in entries(&self.root.join("blobs/sha256"))? {
            let Some(digest) = named(&path).filter(|digest| !kept.contains(digest)) else { continue };
            pruning.remove(&path)?;
            pruning.pruned.blobs.push(digest);
        }
        Ok(())
    }

    fn prune_layers(
        &self,
        flavour: &Path,
        kept: &BTreeSet<Digest>,
        pruning: &mut Pruning<'_>,
    ) -> Result<(), StoreError> {
        for path in entries(flavour)? {
            let Some(digest) = named(&path).filter(|digest| !kept.contains(digest)) else { continue };
            // Held until the layer has lost its name: who wants to use it takes its lock first and then looks whether it is there.
            let Some(directory) = opened(&path) else { continue };
            if !Lock::directory_alone(&directory) {
                pruning.pruned.in_use += 1;
                continue;
            }
            let away = free_name(&self.tmp_path(), &digest);
            std::fs::rename(&path, &away).map_err(failed("move away", &path))?;
            if pruning.remove(&away)? {
                pruning.pruned.layers.push(digest);
            }
        }
        Ok(())
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let listed = std::fs::read_dir(directory).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    listed.map_err(failed("list", directory))
}

fn named(path: &Path) -> Option<Digest> {
    path.file_name()?.to_str().and_then(|name| Digest::from_hex(name).ok())
}

/// Whether nobody is writing it: who does has it locked, and ends with its process.
fn is_free(path: &Path) -> bool {
    let file = opened(path).or_else(|| File::open(path).ok());
    file.is_some_and(|file| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

/// One pruning.
struct Pruning<'a> {
    ids: &'a Ids,
    pruned: Pruned,
}

impl Pruning<'_> {
    /// Whether it is gone. What belongs to nobody of the caller's is not, and hinders nothing else.
    fn remove(&mut self, path: &Path) -> Result<bool, StoreError> {
        let size = size(path);
        let is_directory = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
        let removed = if is_directory { self.ids.remove(path) } else { std::fs::remove_file(path) };
        match removed {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && !self.ids.are_all() => {
                self.pruned.stuck.push(path.to_owned());
                Ok(false)
            }
            removed => {
                self.pruned.bytes += size;
                removed.map(|()| true).map_err(failed("remove", path))
            }
        }
    }
}

/// A name for a layer on its way out. The same one may be there in several flavours, and one that could not be removed.
fn free_name(directory: &Path, digest: &Digest) -> PathBuf {
    let mut names = (0_u64..).map(|number| directory.join(format!("pruned-{number}-{}", digest.hex())));
    names.find(|path| path.symlink_metadata().is_err()).unwrap_or_default()
}

/// Bytes on the disk, as far as they can be seen.
fn size(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return 0 };
    let below = if metadata.is_dir() { entries(path).unwrap_or_default() } else { Vec::new() };
    metadata.blocks() * 512 + below.iter().map(|path| size(path)).sum::<u64>()
}
