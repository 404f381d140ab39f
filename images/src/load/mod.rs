//! How does an image in a file or a directory get into the store? Blob by blob, each verified, nothing else written.

mod docker;
mod files;
mod layout;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::ConfigError;
use crate::digest::Digest;
use crate::event::{Event, Listener};
use crate::image::{Image, ImageError};
use crate::layer::ArchiveError;
use crate::manifest::ManifestError;
use crate::platform::Platform;
use crate::source::Source;
use crate::store::{BlobError, Ingest, NamesError, Store, StoreError};
use files::Files;

/// An image that is in the store now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The image.
    pub image: Image,
    /// The names that mean it from now on; the last one is the source's own.
    pub names: Vec<String>,
}

/// Why an image could not be loaded. Nothing has a name that did not have it before.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive is damaged or none.
    #[error("cannot read the archive {}", path.display())]
    Archive {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: ArchiveError,
    },
    /// The archive has more entries than any image has.
    #[error("the archive {} has too many entries", path.display())]
    TooMany {
        /// Which one.
        path: PathBuf,
    },
    /// A document is too long.
    #[error("{name} has more than {limit} bytes, which are the most that is taken")]
    TooLarge {
        /// Which one.
        name: String,
        /// How many it may have.
        limit: u64,
    },
    /// Something that must be there is not.
    #[error("{} is no {kind}: it has no {name}", path.display())]
    Missing {
        /// What was looked at.
        path: PathBuf,
        /// What it was to be.
        kind: &'static str,
        /// What is missing.
        name: String,
    },
    /// A document makes no sense.
    #[error("cannot understand {name}")]
    Json {
        /// Which one.
        name: &'static str,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
    /// There are several images, or none of that name.
    #[error("{} has {}", path.display(), which(wanted.as_deref(), there))]
    Which {
        /// What was looked at.
        path: PathBuf,
        /// Which one was asked for.
        wanted: Option<String>,
        /// Which there are.
        there: Vec<String>,
    },
    /// A registry's image is pulled.
    #[error("{0} is in a registry: it is pulled and not loaded")]
    Registry(String),
    /// A manifest can't be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A blob is not what it must be.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The names could not be changed.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// What was stored can't be read back.
    #[error(transparent)]
    Image(#[from] ImageError),
}

fn which(wanted: Option<&str>, there: &[String]) -> String {
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    match wanted {
        Some(wanted) => format!("no image {wanted:?}; there are: {there}"),
        None => format!("no single image; there are: {there}"),
    }
}

impl LoadError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            LoadError::Which { .. } => Some("name one of them after the path and a colon".into()),
            LoadError::Registry(name) => Some(format!("bottle image pull {name}")),
            LoadError::Missing { kind: "OCI layout", .. } => {
                Some("for what `docker save` wrote, say docker-archive:FILE".into())
            }
            LoadError::Missing { .. } => Some("for an OCI layout say oci:DIRECTORY or oci-archive:FILE".into()),
            LoadError::Manifest(error) => error.hint(),
            LoadError::Blob(error) => error.hint(),
            LoadError::Store(error) => error.hint(),
            LoadError::Names(error) => error.hint(),
            LoadError::Image(error) => error.hint(),
            _ => None,
        }
    }

    fn read(path: &Path) -> impl FnOnce(io::Error) -> LoadError {
        move |source| LoadError::Read { path: path.to_owned(), source }
    }
}

/// Loads one image; a relative path is one below `cwd`. What is in the store already is not read again.
///
/// # Errors
/// [`LoadError`]
pub fn load(store: &Store, source: &Source, cwd: &Path, listener: Listener<'_>) -> Result<Loaded, LoadError> {
    let _session = store.enter()?;
    let platform = Platform::host();
    let absolute = |path: &Path| {
        let path = cwd.join(path);
        path.canonicalize().map_err(LoadError::read(&path))
    };
    let (found, source) = match source {
        Source::Registry(name) => return Err(LoadError::Registry(name.to_string())),
        Source::OciLayout { path, tag } => {
            let path = absolute(path)?;
            let files = Files::directory(&path)?;
            let to = Target { store, listener, path: &path };
            (layout::load(&to, &files, tag.as_deref(), &platform)?, Source::OciLayout { path, tag: tag.clone() })
        }
        Source::OciArchive { path, tag } => {
            let path = absolute(path)?;
            let files = Files::archive(&path)?;
            let to = Target { store, listener, path: &path };
            (layout::load(&to, &files, tag.as_deref(), &platform)?, Source::OciArchive { path, tag: tag.clone() })
        }
        Source::DockerArchive { path, name } => {
            let path = absolute(path)?;
            let files = Files::archive(&path)?;
            let to = Target { store, listener, path: &path };
            (docker::load(&to, &files, name.as_ref())?, Source::DockerArchive { path, name: name.clone() })
        }
    };
    let image = Image::read(store, found.manifest)?;
    let names: Vec<String> = found.names.into_iter().chain([source.to_string()]).collect();
    store.set_names(&names, found.manifest)?;
    let from = source.to_string();
    listener(Event::Resolved { name: names[0].clone(), manifest: found.manifest, from });
    Ok(Loaded { image, names })
}

/// What a file or directory was found to hold.
struct Held {
    manifest: Digest,
    /// What it is called there, in full.
    names: Vec<String>,
}

/// Where blobs go.
struct Target<'a> {
    store: &'a Store,
    listener: Listener<'a>,
    path: &'a Path,
}

impl Target<'_> {
    /// Brings a blob into the store unless it is there.
    fn blob<'r>(
        &self,
        digest: Digest,
        size: Option<u64>,
        open: impl FnOnce() -> Result<Box<dyn Read + 'r>, LoadError>,
    ) -> Result<(), LoadError> {
        let Some(mut ingest) = self.store.ingest(digest, size)? else {
            (self.listener)(Event::Stored { blob: digest, already: true });
            return Ok(());
        };
        ingest.restart()?;
        (self.listener)(Event::Started { blob: digest, size, resumed: 0 });
        // It is read from its beginning next time, so that nothing of it is kept.
        if let Err(error) = open().and_then(|from| self.copy(from, &mut ingest)) {
            return ingest.discard().map_err(LoadError::from).and(Err(error));
        }
        ingest.finish()?;
        (self.listener)(Event::Stored { blob: digest, already: false });
        Ok(())
    }

    fn copy(&self, mut from: impl Read, ingest: &mut Ingest) -> Result<(), LoadError> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => ingest.write(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(LoadError::read(self.path)(error)),
            }
            (self.listener)(Event::Progress { blob: ingest.digest(), position: ingest.position() });
        }
    }
}
