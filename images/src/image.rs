//! What is an image in the store? A manifest, its configuration and the names of its layers.

use crate::config::{Config, ConfigError};
use crate::digest::Digest;
use crate::limits;
use crate::manifest::{Found, Layer, Manifest, ManifestError};
use crate::store::{BlobError, NamesError, Store};

/// An image whose manifest and configuration were read and agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    digest: Digest,
    manifest: Manifest,
    config: Config,
}

/// Why an image in the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A part of it is missing or damaged.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Its manifest can't be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Its configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The names can't be read.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// It is an index, which names several.
    #[error("{0} is no image but an index of several")]
    Several(Digest),
}

impl ImageError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            ImageError::Blob(error) => error.hint(),
            ImageError::Manifest(error) => error.hint(),
            ImageError::Names(error) => error.hint(),
            ImageError::Config(_) | ImageError::Several(_) => None,
        }
    }
}

impl Image {
    /// Reads the image of a manifest that is in the store.
    ///
    /// # Errors
    /// Where a part is missing, damaged or not usable.
    pub fn read(store: &Store, digest: Digest) -> Result<Image, ImageError> {
        let bytes = store.read_blob(&digest, "a manifest", limits::MANIFEST)?;
        let Found::Manifest(manifest) = Found::parse(&bytes, None)? else {
            return Err(ImageError::Several(digest));
        };
        let config = store.read_blob(&manifest.config, "a configuration", limits::CONFIG)?;
        let config = Config::parse(&config, manifest.layers.len())?;
        Ok(Image { digest, manifest, config })
    }

    /// The image of this manifest where it and all that it needs are in the store, whatever names it has there.
    pub fn whole(store: &Store, digest: Digest) -> Option<Image> {
        let _session = store.enter().ok()?;
        Image::read(store, digest).ok().filter(|image| image.blobs().iter().all(|blob| store.has(blob)))
    }

    /// The image that a name in the store means. None where nothing has that name.
    ///
    /// # Errors
    /// Where it has a name and can't be read.
    pub fn named(store: &Store, name: &str) -> Result<Option<Image>, ImageError> {
        let manifest = store.names()?.get(name).copied();
        manifest.map(|manifest| Image::read(store, manifest)).transpose()
    }

    /// The digest of its manifest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of its configuration, which docker and podman call the image's id.
    pub fn id(&self) -> Digest {
        self.manifest.config
    }

    /// How it is run.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its layers as they are transferred, lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.manifest.layers
    }

    /// The digests of the layers' archives, unpacked, lowest first; as many as there are layers.
    pub fn diff_ids(&self) -> &[Digest] {
        &self.config.diff_ids
    }

    /// Everything that it needs in the store.
    pub(crate) fn blobs(&self) -> Vec<Digest> {
        let layers = self.manifest.layers.iter().map(|layer| layer.digest);
        [self.digest, self.manifest.config].into_iter().chain(layers).collect()
    }
}
