//! Where does bottle keep its keys, its runs and its evidence?

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What the policy in force is called in the directory of a run's evidence: the text that its digest is of.
pub const POLICY: &str = "policy.json";

/// What the last attestation of a run that went on is called there.
pub const RENEWED: &str = "renewed.json";

/// The two directories that bottle owns, mode 0700.
#[derive(Clone, Debug)]
pub struct State {
    /// What must survive: keys, and evidence under `runs/ID/`.
    pub data: PathBuf,
    /// What ends with the boot: locks.
    pub run: PathBuf,
}

/// Why the state directories can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A directory could not be made or read.
    #[error("cannot use the state directory {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A directory belongs to someone else or is open to others.
    #[error("the state directory {} must belong to uid {uid} and be closed to others", path.display())]
    Unsafe {
        /// Which one.
        path: PathBuf,
        /// The caller's uid.
        uid: u32,
    },
    /// Who runs elsewhere would mean another one, and the one here would be the workload's to write.
    #[error("BOTTLE_ROOT is {}, which does not begin with a slash", .0.display())]
    Relative(PathBuf),
    /// Nothing says where data may lie.
    #[error("neither XDG_DATA_HOME nor HOME is set")]
    NoHome,
}

/// What the environment says about places; the caller reads it, so that this module need not.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `BOTTLE_ROOT`: both directories below this one.
    pub root: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// Whether uid 0 is an ordinary user within a user namespace of its own.
    pub nested: bool,
}

impl State {
    /// Finds the directories for this uid and makes what is missing.
    pub fn open(places: &Places, uid: u32) -> Result<State, StateError> {
        let state = State::locate(places, uid)?;
        for path in [&state.data, &state.run] {
            make_private(path, uid)?;
        }
        Ok(state)
    }

    fn locate(places: &Places, uid: u32) -> Result<State, StateError> {
        if let Some(root) = &places.root {
            if !root.is_absolute() {
                return Err(StateError::Relative(root.clone()));
            }
            return Ok(State { data: root.join("data"), run: root.join("run") });
        }
        if uid == 0 && !places.nested {
            return Ok(State { data: "/var/lib/bottle".into(), run: "/run/bottle".into() });
        }
        let data = places
            .data_home
            .clone()
            .or_else(|| places.home.as_ref().map(|home| home.join(".local/share")))
            .ok_or(StateError::NoHome)?;
        let run = match &places.runtime_dir {
            Some(directory) => directory.join("bottle"),
            // Not in /tmp, where anybody could have made it first.
            None => data.join("bottle/run"),
        };
        Ok(State { data: data.join("bottle"), run })
    }

    /// The signing key that is made on first use.
    pub fn default_key(&self) -> PathBuf {
        self.data.join("keys/bottle.key")
    }

    /// The directory of one run's evidence.
    pub fn run_directory(&self, id: &str) -> PathBuf {
        self.runs().join(id)
    }

    /// Where these directories are.
    pub(crate) fn runs(&self) -> PathBuf {
        self.data.join("runs")
    }
}

/// Makes a 0700 directory with its parents, and checks whose it is.
pub fn make_private(path: &Path, uid: u32) -> Result<(), StateError> {
    let failed = |source| StateError::Io { path: path.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let metadata = std::fs::symlink_metadata(path).map_err(failed)?;
    if !metadata.is_dir() || metadata.uid() != uid {
        return Err(StateError::Unsafe { path: path.to_owned(), uid });
    }
    if metadata.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

/// A new run's id: 128 random bits as 32 hex digits.
pub fn new_run_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_users_namespace_has_the_places_of_that_user() {
        let places = Places { home: Some("/home/ann".into()), ..Places::default() };
        assert_eq!(State::locate(&places, 0).unwrap().data, Path::new("/var/lib/bottle"));
        let nested = State::locate(&Places { nested: true, ..places }, 0).unwrap();
        assert_eq!(nested.data, Path::new("/home/ann/.local/share/bottle"));
        assert_eq!(nested.run, nested.data.join("run"));
    }

    #[test]
    fn a_relative_root_is_refused_before_anything_is_made() {
        let places = Places { root: Some("relative-root".into()), ..Places::default() };
        assert!(matches!(State::open(&places, 0), Err(StateError::Relative(_))));
        assert!(!Path::new("relative-root").exists());
    }
}
