//! Whose do the files of images become for this caller, and who gives them away?

use std::ffi::OsStr;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::digest::Digest;
use crate::event::Listener;
use crate::id_map::IdMap;
use crate::image::Image;
use crate::layer::{UnpackOptions, is_of_another_range};
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

    /// Whether layers in a directory of this name are of no use to the caller any more: they have ids of a range that it had.
    pub(crate) fn is_past(&self, flavour: &Path) -> bool {
        let name = flavour.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if let Ids::Range { map, .. } = self { is_of_another_range(name, *map) } else { false }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_map::OneMap;

    #[test]
    fn layers_of_another_range_are_told_by_the_name_of_their_directory() {
        let one = |first| OneMap { first, own: 1000, place: 0 };
        let map = IdMap { uids: one(100_000), gids: one(200_000) };
        let name = |map| UnpackOptions::mapped(map).flavour();
        assert!(!is_of_another_range(&name(map), map) && !is_of_another_range(&name(map.at((33, 34))), map));
        for other in [one(10_000), one(100_001), OneMap { own: 1001, ..one(100_000) }] {
            assert!(is_of_another_range(&name(IdMap { uids: other, ..map }), map), "{other:?}");
        }
        assert!(is_of_another_range(&name(IdMap { gids: one(100_000), ..map }), map));
        for uid in [0, 1000] {
            assert!(!is_of_another_range(&UnpackOptions::for_uid(uid).flavour(), map));
        }
    }
}
