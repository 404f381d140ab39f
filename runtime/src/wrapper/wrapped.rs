//! Which engine's runtime is wrapped? The one that the settings name, else the first of those that there is; never one that
//! somebody else than root or the caller could have put there.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::hook::Settings;
use crate::hook::guarded::{Unsafe, guarded};

/// Where runc and crun are looked for, in this order. PATH is whoever calls's, and not asked.
const PLACES: [&str; 8] = [
    "/usr/local/bin/runc",
    "/usr/local/sbin/runc",
    "/usr/bin/runc",
    "/usr/sbin/runc",
    "/usr/local/bin/crun",
    "/usr/local/sbin/crun",
    "/usr/bin/crun",
    "/usr/sbin/crun",
];

/// Why there is no runtime to go on with.
#[derive(Debug, thiserror::Error)]
pub enum WrappedError {
    /// None is installed where one is looked for.
    #[error("there is no runc or crun at any of {}", PLACES.join(", "))]
    None,
    /// The settings name it by a path that means another file elsewhere.
    #[error("the settings name the runtime {}, which is no absolute path", .0.display())]
    Relative(PathBuf),
    /// The file can't be used.
    #[error("cannot use the runtime {}", path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no program.
    #[error("{} is no file that can be executed", .0.display())]
    NoProgram(PathBuf),
    /// It would call itself for ever.
    #[error("{} is bottle-oci itself", .0.display())]
    Itself(PathBuf),
    /// Somebody else could write it.
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
}

/// Its path, which nobody else can change until it is executed.
///
/// # Errors
/// [`WrappedError`]
pub fn wrapped(settings: &Settings) -> Result<PathBuf, WrappedError> {
    let path = match &settings.runtime {
        Some(named) if named.is_absolute() => named.clone(),
        Some(named) => return Err(WrappedError::Relative(named.clone())),
        None => PLACES.iter().map(PathBuf::from).find(|path| path.exists()).ok_or(WrappedError::None)?,
    };
    // What is looked at is what will be executed, wherever links lead by then.
    let path = path.canonicalize().map_err(|source| WrappedError::Open { path, source })?;
    let failed = |source| WrappedError::Open { path: path.clone(), source };
    let file = File::open(&path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.mode() & 0o111 == 0 {
        return Err(WrappedError::NoProgram(path));
    }
    guarded(&file, &path)?;
    let own = std::fs::metadata(Path::new("/proc/self/exe")).map_err(failed)?;
    if (own.dev(), own.ino()) == (metadata.dev(), metadata.ino()) {
        return Err(WrappedError::Itself(path));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_runtime_that_is_missing_relative_open_to_others_or_this_program_is_none() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("runc");
        let of = |path: &Path| wrapped(&Settings { runtime: Some(path.to_owned()), ..Settings::default() });
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(of(&path), Err(WrappedError::Open { .. })));
        assert!(matches!(of(Path::new("runc")), Err(WrappedError::Relative(_))));
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        mode(0o644);
        assert!(matches!(of(&path), Err(WrappedError::NoProgram(_))));
        mode(0o777);
        assert!(matches!(of(&path), Err(WrappedError::Unsafe(_))));
        mode(0o755);
        assert_eq!(of(&path).unwrap(), path);
        assert!(matches!(of(place.path()), Err(WrappedError::NoProgram(_))));
        let own = std::env::current_exe().unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&own, &path).unwrap();
        assert!(matches!(of(&path), Err(WrappedError::Itself(_) | WrappedError::Unsafe(_))));
    }
}
