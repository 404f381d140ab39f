//! What is an unpacked image? Directories for overlayfs, which are not pruned while somebody holds them.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::layer::UnpackOptions;
use crate::store::{Lock, Store};
use crate::unpack::{UnpackError, open_directory};

/// An unpacked image. Its layers are not pruned while this value lives.
#[derive(Debug)]
pub struct Unpacked {
    layers: Vec<PathBuf>,
    root: PathBuf,
    notes: Vec<String>,
    _held: Vec<File>,
}

/// Which layers an image has in the store, for who holds them in another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// Their names, lowest first.
    keys: Vec<Digest>,
    /// Which of them says what `/` is like.
    root: usize,
    /// What was left out.
    notes: Vec<String>,
}

impl Unpacked {
    /// Holds layers that another process has unpacked like this. The caller has kept the store from being pruned since.
    pub(crate) fn hold(store: &Store, options: UnpackOptions, layers: &Layers) -> Result<Unpacked, UnpackError> {
        let flavour = store.layers_path().join(options.flavour());
        let places: Vec<PathBuf> = layers.keys.iter().map(|key| flavour.join(key.hex())).collect();
        let hold = |place: &PathBuf| {
            let held = open_directory(place)?;
            Lock::directory_shared(&held, place)?;
            Ok(held)
        };
        let held = places.iter().map(hold).collect::<Result<_, UnpackError>>()?;
        Ok(Unpacked::new(&places, layers.root, layers.notes.clone(), held))
    }

    pub(crate) fn new(places: &[PathBuf], root: usize, notes: Vec<String>, held: Vec<File>) -> Unpacked {
        let root = places.get(root).map(|path| path.join("fs")).unwrap_or_default();
        Unpacked { layers: places.iter().map(|path| path.join("fs")).collect(), root, notes, _held: held }
    }

    /// The same for another process. Each layer's directory lies in one that has its name.
    pub fn to_layers(&self) -> Layers {
        let name = |layer: &PathBuf| Digest::from_hex(layer.parent()?.file_name()?.to_str()?).ok();
        let root = self.layers.iter().position(|layer| *layer == self.root).unwrap_or(0);
        Layers { keys: self.layers.iter().filter_map(name).collect(), root, notes: self.notes.clone() }
    }

    /// The layers' directories, lowest first, as overlayfs takes them (its `lowerdir` names the highest first).
    pub fn layers(&self) -> &[PathBuf] {
        &self.layers
    }

    /// The directory among them whose owner, mode and times are those of the image's `/`. An overlay shows the highest one's or
    /// the upper directory's instead, unless whoever mounts it sees to that.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What was left out of layers that were unpacked just now: sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}
