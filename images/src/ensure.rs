//! How does the image that a run names get here? Pulled where it must be, loaded from files each time, and unpacked.

use std::path::Path;

use crate::containers::{Places, Registries, RegistriesError};
use crate::digest::Digest;
use crate::event::{Event, Listener};
use crate::ids::Ids;
use crate::image::Image;
use crate::load::{LoadError, load};
use crate::pull::{PullError, pull};
use crate::source::Source;
use crate::spelling::{LookUpError, look_up};
use crate::store::Store;
use crate::unpack::UnpackError;

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// Each time.
    Always,
    /// Where it is not here yet.
    #[default]
    Missing,
    /// Never.
    Never,
}

/// Why an image is not here.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError {
    /// It could not be looked up.
    #[error(transparent)]
    LookUp(#[from] LookUpError),
    /// It may not be pulled.
    #[error("the image {0} is not here, and may not be pulled")]
    NotHere(String),
    /// What the containers configuration says of registries can't be read.
    #[error(transparent)]
    Registries(#[from] RegistriesError),
    /// It could not be pulled.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The file has it not.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It could not be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

impl EnsureError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            EnsureError::LookUp(error) => error.hint(),
            EnsureError::NotHere(_) => Some("bottle image pull NAME".into()),
            EnsureError::Registries(error) => error.hint(),
            EnsureError::Pull(error) => error.hint(),
            EnsureError::Load(error) => error.hint(),
            EnsureError::Unpack(error) => error.hint(),
        }
    }
}

/// The digest of the image's manifest, once all of it is in the store and unpacked. What lies in files is loaded each time, since
/// they may have changed; relative paths are joined to `directory`.
///
/// # Errors
/// [`EnsureError`]; what of it is in the store by then stays for the next attempt.
pub fn ensure(
    store: &Store,
    source: &Source,
    when: Pull,
    places: &Places,
    ids: &Ids,
    directory: &Path,
    tell: Listener<'_>,
) -> Result<Digest, EnsureError> {
    let text = source.to_string();
    if matches!(source, Source::Registry(_)) && when != Pull::Always {
        if let Some(image) = source.digest().and_then(|digest| Image::whole(store, digest)) {
            return Ok(image.digest());
        }
        match look_up(store, &text, places, directory)? {
            Some((_, image)) => return Ok(image.digest()),
            None if when == Pull::Never => return Err(EnsureError::NotHere(text)),
            None => {}
        }
    }
    let loaded = match source {
        Source::Registry(written) => pull(store, written, &Registries::load(places)?, places, tell)?,
        _ => load(store, source, directory, tell)?,
    };
    let unpacked = ids.unpack(store, &loaded.image, (0, 0), tell)?;
    unpacked.notes().iter().for_each(|note| tell(Event::Note(note.clone())));
    Ok(loaded.image.digest())
}
