//! How is the configuration of a container changed that its engine has written? Read once, judged, and replaced whole: whenever we
//! are killed, the old one is there or the new one.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use serde_json::Value;

use crate::bounded;
use crate::hook::configuration::{MOST, NAME};
use crate::hook::guarded::guarded_own;
use crate::hook::{Configuration, ConfigurationError};

/// Where the new one is written: one that is left is the next call's to remove.
const UNFINISHED: &str = ".config.json.bottle";

/// A bundle whose configuration has been read.
#[derive(Debug)]
pub struct Bundle {
    place: PathBuf,
    directory: File,
    file: File,
    bytes: Vec<u8>,
}

/// Why a bundle can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no such directory.
    #[error("cannot open the bundle {}", path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration can't be read: it is missing, a link, no file, or too large.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is none.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// It could not be replaced, and is as it was.
    #[error("cannot replace {}", path.display())]
    Replace {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BundleError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        if let BundleError::Configuration(error) = self { error.hint() } else { None }
    }
}

impl Bundle {
    /// Reads the configuration. No link is followed: what it leads to may be read by others, or written. Nobody but root and the caller may
    /// be able to exchange it, since the runtime reads it again.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn read(place: &Path) -> Result<Bundle, BundleError> {
        let named = place;
        let opened = named.canonicalize().and_then(|place| Ok((File::open(&place)?, place)));
        let (directory, place) = opened.map_err(|source| BundleError::Open { path: named.to_owned(), source })?;
        guarded_own(&directory, named).map_err(ConfigurationError::from)?;
        let failed = |source| BundleError::Read { path: place.join(NAME), source };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = rustix::fs::openat(&directory, NAME, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let file = File::from(file);
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
        }
        guarded_own(&file, &place.join(NAME)).map_err(ConfigurationError::from)?;
        let bytes = bounded::read_from(&file, MOST).map_err(failed)?;
        Ok(Bundle { place, directory, file, bytes })
    }

    /// What it says, for those who judge.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn configuration(&self) -> Result<Configuration, BundleError> {
        self.parse(&self.bytes)
    }

    /// The same as JSON.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn document(&self) -> Result<Value, BundleError> {
        serde_json::from_slice(&self.bytes).map_err(|source| self.form(source))
    }

    /// What another document would say in its place.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn with(&self, document: &Value) -> Result<Configuration, BundleError> {
        self.parse(document.to_string().as_bytes())
    }

    /// Puts a document in its place, unless it is what is there.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn replace(&self, document: &Value) -> Result<(), BundleError> {
        if self.document()? == *document {
            return Ok(());
        }
        self.write(document.to_string().as_bytes())
            .map_err(|source| BundleError::Replace { path: self.place.join(NAME), source })
    }

    /// Written beside it, and renamed. Whoever could read it can read the new one.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let directory = self.directory.as_fd();
        match rustix::fs::unlinkat(directory, UNFINISHED, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut new = File::from(rustix::fs::openat(directory, UNFINISHED, flags, Mode::RUSR | Mode::WUSR)?);
        let old = self.file.metadata()?;
        let written = (|| {
            new.write_all(bytes)?;
            let made = new.metadata()?;
            if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
                rustix::fs::fchown(&new, Some(Uid::from_raw(old.uid())), Some(Gid::from_raw(old.gid())))?;
            }
            new.set_permissions(Permissions::from_mode(old.mode() & 0o777))?;
            Ok(rustix::fs::renameat(directory, UNFINISHED, directory, NAME)?)
        })();
        if written.is_err() {
            // The error that led here is the one that matters.
            let _ = rustix::fs::unlinkat(directory, UNFINISHED, AtFlags::empty());
        }
        written
    }

    fn parse(&self, bytes: &[u8]) -> Result<Configuration, BundleError> {
        Ok(Configuration::parse(&self.place, bytes)?)
    }

    fn form(&self, source: serde_json::Error) -> BundleError {
        ConfigurationError::Form { path: self.place.join(NAME), source }.into()
    }
}
