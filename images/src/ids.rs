//! Whose do the files of images become for this caller, and who gives them away?

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::digest::Digest;
use crate::event::Listener;
use crate::id_map::IdMap;
use crate::image::Image;
use crate::layer::UnpackOptions;
use crate::store::{Store, remove_tree};
use crate::unpack::{UnpackError, unpack};
use crate::unpacked::{Layers, Unpacked};

/// What a caller can do with owners.
#[derive(Clone, Debug)]
pub enum Ids {
    /// Root gives files to whomever the archives say; anybody else keeps them all.
    Plain {
        /// The caller's uid.
        uid: u32,
    },
    /// An ordinary user has a range of ids, and somebody with the right to give files to them.
    Range {
        /// The map in which the caller is 0 inside.
        map: IdMap,
        /// Who has that right.
        steward: Arc<dyn Steward>,
    },
}

/// A process in a user namespace that has a range of ids, or who starts one when it is needed.
pub trait Steward: Debug + Send + Sync {
    /// Unpacks what of an image is not unpacked yet, as [`unpack`] does there.
    ///
    /// # Errors
    /// [`UnpackError`]; what came of another process is [`UnpackError::Steward`].
    fn unpack(
        &self,
        store: &Store,
        manifest: Digest,
        options: UnpackOptions,
        listener: Listener<'_>,
    ) -> Result<Layers, UnpackError>;

    /// Removes a directory and all below, as [`remove_tree`] does there.
    ///
    /// # Errors
    /// What the kernel says.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

impl Ids {
    /// Unpacks an image and holds its layers. With a range, the caller is `place` inside; else that says nothing.
    ///
    /// # Errors
    /// [`UnpackError`]
    pub fn unpack(
        &self,
        store: &Store,
        image: &Image,
        place: (u32, u32),
        listener: Listener<'_>,
    ) -> Result<Unpacked, UnpackError> {
        match self {
            Ids::Plain { uid } => unpack(store, image, UnpackOptions::for_uid(*uid), listener),
            Ids::Range { map, steward } => {
                // Nothing is pruned before the layers are held here too.
                let _session = store.enter()?;
                let options = UnpackOptions::mapped(map.at(place));
                let layers = steward.unpack(store, image.digest(), options, listener)?;
                Unpacked::hold(store, options, &layers)
            }
        }
    }

    /// Whether no file is out of the caller's reach, since of its owner.
    pub(crate) fn are_all(&self) -> bool {
        matches!(self, Ids::Plain { uid: 0 })
    }

    /// The map of a run whose caller is `place` inside, where there is one.
    pub fn map(&self, place: (u32, u32)) -> Option<IdMap> {
        if let Ids::Range { map, .. } = self { Some(map.at(place)) } else { None }
    }

    /// Removes a directory and all below, whoever in the range owns it.
    ///
    /// # Errors
    /// What the kernel says: `PermissionDenied` for files of somebody who is not in the range.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match (remove_tree(path), self) {
            (Err(error), Ids::Range { steward, .. }) if error.kind() == io::ErrorKind::PermissionDenied => {
                steward.remove(path)
            }
            (removed, _) => removed,
        }
    }
}
