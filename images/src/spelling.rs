//! What is a name that a person writes called in the store? As it is written, or as it would be pulled.

use std::path::Path;

use crate::containers::{Places, Registries, RegistriesError};
use crate::image::{Image, ImageError};
use crate::name::{Name, Written};
use crate::source::Source;
use crate::store::Store;

/// How many digits of an image's id are listed.
pub const ID_DIGITS: usize = 12;

/// Why a name can't be looked up.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// What the containers configuration says can't be read.
    #[error(transparent)]
    Registries(#[from] RegistriesError),
    /// The store can't be.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl LookUpError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            LookUpError::Registries(error) => error.hint(),
            LookUpError::Image(error) => error.hint(),
        }
    }
}

/// The image in the store that a text means, with the name that it has there. Relative paths are joined to `directory`.
///
/// # Errors
/// [`LookUpError`]
pub fn look_up(
    store: &Store,
    written: &str,
    places: &Places,
    directory: &Path,
) -> Result<Option<(String, Image)>, LookUpError> {
    let named = |names: Vec<String>| -> Result<Option<(String, Image)>, ImageError> {
        let mut images = names.into_iter().map(|name| Ok(Image::named(store, &name)?.map(|image| (name, image))));
        images.find_map(Result::transpose).transpose()
    };
    // The configuration is read only where it matters.
    let found = match named(plain(written, directory))? {
        None => named(configured(written, places)?)?,
        found => found,
    };
    // A name goes before an id, and an id before what a registry may have.
    match found {
        None => Ok(identified(store, written)?.into_iter().next()),
        found => Ok(found),
    }
}

/// The images here, each with a name, that the beginning of an id or of a manifest's digest means: at least as much of it as is listed, since
/// a repository may well be called by fewer digits. Several are names of one image.
///
/// # Errors
/// Where an image here can't be read.
pub fn identified(store: &Store, written: &str) -> Result<Vec<(String, Image)>, ImageError> {
    let digits = written.strip_prefix("sha256:").unwrap_or(written);
    if digits.len() < ID_DIGITS || !digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (name, manifest) in store.names()? {
        let image = Image::read(store, manifest)?;
        if [image.id(), image.digest()].iter().any(|digest| digest.hex().starts_with(digits)) {
            found.push((name, image));
        }
    }
    let is_one = found.windows(2).all(|pair| pair[0].1.id() == pair[1].1.id());
    Ok(if is_one { found } else { Vec::new() })
}

/// The names that a text may mean, in the order to try.
///
/// # Errors
/// Where the containers configuration can't be read.
pub fn spellings(written: &str, places: &Places, directory: &Path) -> Result<Vec<String>, RegistriesError> {
    let mut names = plain(written, directory);
    names.extend(configured(written, places)?);
    Ok(names)
}

/// Those that no configuration has a say in.
fn plain(written: &str, directory: &Path) -> Vec<String> {
    let mut names = vec![written.to_owned()];
    match Source::parse(written) {
        Ok(Source::Registry(_)) => names.extend(here(written).map(|name| name.to_string())),
        Ok(source) => names.extend(source.at(directory).map(|source| source.to_string())),
        Err(_) => {}
    }
    names
}

/// As what it would be pulled.
fn configured(written: &str, places: &Places) -> Result<Vec<String>, RegistriesError> {
    let Ok(Source::Registry(short)) = Source::parse(written) else { return Ok(Vec::new()) };
    let names = Registries::load(places)?.names(&short);
    Ok(names.into_iter().flatten().map(|name| name.to_string()).collect())
}

/// The full name that a text is on this machine: where it is short, one of localhost's, as podman has it.
pub fn here(written: &str) -> Option<Name> {
    let written = written.strip_prefix("docker://").unwrap_or(written);
    let name: Written = written.parse().ok()?;
    name.full().or_else(|| format!("localhost/{written}").parse::<Written>().ok()?.full())
}
