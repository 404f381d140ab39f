//! Who runs a bottle, and from where? The one place of this crate that reads the environment.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use nix::unistd::{User, getegid, geteuid};

use crate::state::Places;

/// What is taken from the process that asks for a run.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Effective uid.
    pub uid: u32,
    /// Effective gid.
    pub gid: u32,
    /// Login name, or the uid where there is none.
    pub name: String,
    /// Home directory.
    pub home: PathBuf,
    /// Working directory.
    pub cwd: PathBuf,
    /// By which file the program was started, as far as its name and PATH tell: perhaps by a link.
    pub invoked: Option<PathBuf>,
    /// All variables whose names and values are UTF-8.
    pub variables: BTreeMap<String, String>,
    /// Where state may lie.
    pub places: Places,
}

impl Caller {
    /// The calling process.
    ///
    /// # Errors
    /// Where the working directory is gone.
    pub fn current() -> io::Result<Caller> {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let user = User::from_uid(geteuid()).ok().flatten();
        let home = path("HOME").or_else(|| user.as_ref().map(|user| user.dir.clone())).unwrap_or_else(|| "/".into());
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Caller {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            name: user.map_or_else(|| geteuid().to_string(), |user| user.name),
            home,
            cwd: std::env::current_dir()?,
            invoked: invoked(),
            variables: variables.collect(),
            places: Places {
                root: path("BOTTLE_ROOT"),
                runtime_dir: path("XDG_RUNTIME_DIR"),
                data_home: path("XDG_DATA_HOME"),
                home: path("HOME"),
            },
        })
    }
}

fn invoked() -> Option<PathBuf> {
    let name = PathBuf::from(std::env::args_os().next()?);
    if name.components().count() > 1 || name.is_absolute() {
        return Some(name).filter(|file| file.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(&name)).find(|file| file.is_file())
}
