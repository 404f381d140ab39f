//! What has the user configured for registries? The files that podman, skopeo and buildah read, and docker's.

mod auth;
mod certificates;
mod merge;
mod registries;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use auth::{AuthError, Credentials};
pub(crate) use auth::{Found, find};
pub(crate) use certificates::roots;
pub use registries::{Endpoint, Registries, RegistriesError, ShortNameError};

/// Where configuration is looked for; the caller tells, so that this crate reads no environment.
#[derive(Clone, Debug)]
pub struct Places {
    /// The caller's uid.
    pub uid: u32,
    /// The caller's home directory.
    pub home: PathBuf,
    /// The caller's environment.
    pub variables: BTreeMap<String, String>,
    /// Where the host's files are: `/`, or a directory that plays it in a test.
    pub host: PathBuf,
}

impl Places {
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A directory that an XDG variable names, else one below home.
    fn below_home(&self, variable: &str, default: &str) -> PathBuf {
        self.variable(variable).map_or_else(|| self.home.join(default), PathBuf::from)
    }

    fn config(&self) -> PathBuf {
        self.below_home("XDG_CONFIG_HOME", ".config").join("containers")
    }

    fn system(&self) -> PathBuf {
        self.host.join("etc/containers")
    }
}

/// A file's text; None where there is none.
fn read(path: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        text => text.map(Some),
    }
}
