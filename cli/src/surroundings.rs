//! What does the environment say? The one place where it is read.

use std::path::PathBuf;

use bottle_runtime::state::{Places, State};

use crate::report::Failure;

/// What was read.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The caller's effective uid.
    pub uid: u32,
    /// Where state may lie.
    pub places: Places,
}

impl Surroundings {
    /// Reads the environment.
    pub fn read() -> Surroundings {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Surroundings {
            uid: nix::unistd::geteuid().as_raw(),
            places: Places {
                root: path("BOTTLE_ROOT"),
                runtime_dir: path("XDG_RUNTIME_DIR"),
                data_home: path("XDG_DATA_HOME"),
                home: path("HOME"),
            },
        }
    }

    /// The state directories, which are made if they are missing.
    pub fn state(&self) -> Result<State, Failure> {
        State::open(&self.places, self.uid)
            .map_err(|error| Failure::new(error).with_hint("set BOTTLE_ROOT to a directory of your own"))
    }

    /// The private key that `run` uses by default.
    pub fn default_key(&self) -> Result<PathBuf, Failure> {
        Ok(self.state()?.default_key())
    }
}
