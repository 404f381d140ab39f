//! What does IMAGE on the command line mean?

use std::path::PathBuf;

use crate::digest::Digest;
use crate::source::{Source, SourceError};

/// The name of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageRef {
    /// The host's own programs around the working directory.
    Host,
    /// An unpacked root file system.
    Directory(PathBuf),
    /// An image that is to be pulled or loaded into the store.
    Stored(Source),
    /// An image in the store, by the digest of its manifest.
    Manifest(Digest),
}

/// Why a text names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageRefError {
    /// Nothing was given, or `dir:` without a path.
    #[error("the image name {0:?} is empty")]
    Empty(String),
    /// It is none of the kinds that there are.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl ImageRefError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        "write `host`, `dir:PATH`, `oci:PATH`, `oci-archive:FILE`, `docker-archive:FILE`, or an image's name in a registry".to_owned()
    }
}

impl ImageRef {
    /// Reads `host`, `dir:PATH`, or what [`Source::parse`] reads. A relative path stays relative: it is joined to the working
    /// directory when it is used.
    ///
    /// # Errors
    /// [`ImageRefError`] for everything else.
    pub fn parse(name: &str) -> Result<ImageRef, ImageRefError> {
        match name.strip_prefix("dir:") {
            _ if name == "host" => Ok(ImageRef::Host),
            Some(path) if !path.is_empty() => Ok(ImageRef::Directory(path.into())),
            None if !name.is_empty() => Ok(ImageRef::Stored(Source::parse(name)?)),
            _ => Err(ImageRefError::Empty(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_directories_are_images() {
        assert_eq!(ImageRef::parse("host"), Ok(ImageRef::Host));
        assert_eq!(ImageRef::parse("dir:root fs"), Ok(ImageRef::Directory("root fs".into())));
    }

    #[test]
    fn what_is_neither_is_in_the_store() {
        for name in ["alpine", "docker://alpine", "oci:x", "docker-archive:f"] {
            assert!(matches!(ImageRef::parse(name), Ok(ImageRef::Stored(_))), "{name}");
        }
        assert!(ImageRef::parse("Not a name").unwrap_err().hint().contains("dir:PATH"));
    }

    #[test]
    fn an_empty_name_is_refused() {
        assert!(matches!(ImageRef::parse(""), Err(ImageRefError::Empty(_))));
        assert!(matches!(ImageRef::parse("dir:"), Err(ImageRefError::Empty(_))));
    }
}
