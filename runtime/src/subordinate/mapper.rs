//! Who maps ids that are not one's own? newuidmap(1) and newgidmap(1), which root has put where only root can.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bottle_images::{IdMap, Line, spelled};
use rustix::fs::StatVfsMountFlags;

use super::Lacking;
use crate::attest::process::{MeasureError, id_map};

/// Where a system keeps such programs. What PATH says does not count.
const DIRECTORIES: [&str; 3] = ["/run/wrappers/bin", "/usr/bin", "/bin"];

/// Both programs.
#[derive(Clone, Debug)]
pub(super) struct Mapper {
    uids: PathBuf,
    gids: PathBuf,
}

/// Why ids that are granted could not be mapped.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// A program could not be executed.
    #[error("cannot execute {}", program.display())]
    Execute {
        /// Which one.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It refused.
    #[error("{} refused: {said}", program.display())]
    Refused {
        /// Which one.
        program: PathBuf,
        /// What it said.
        said: String,
    },
    /// The kernel can't be asked what it did.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// It did something else.
    #[error("{} mapped something else than it was told: {found}", program.display())]
    Differs {
        /// Which one.
        program: PathBuf,
        /// What the kernel shows.
        found: String,
    },
}

impl Mapper {
    /// Finds both, fit for use.
    pub(super) fn find() -> Result<Mapper, Lacking> {
        let (uids, gids) = (find("newuidmap")?, find("newgidmap")?);
        match rustix::thread::no_new_privs() {
            Ok(true) => Err(Lacking::NoNewPrivileges),
            _ => Ok(Mapper { uids, gids }),
        }
    }

    /// Maps the caller's ids and its range to themselves in the user namespace of this process, and reads back what was mapped.
    pub(super) fn map(&self, pid: u32, map: IdMap) -> Result<(), MapError> {
        let (uids, gids) = map.around();
        one(&self.uids, pid, &uids, "uid_map")?;
        one(&self.gids, pid, &gids, "gid_map")
    }
}

fn find(name: &'static str) -> Result<PathBuf, Lacking> {
    let mut found = DIRECTORIES.iter().map(|directory| Path::new(directory).join(name));
    let path = found.find_map(|path| std::fs::canonicalize(path).ok()).ok_or(Lacking::Program(name))?;
    match unfit(&path) {
        Some(why) => Err(Lacking::Unfit { path, why }),
        None => Ok(path),
    }
}

/// Why a program at a canonical path gives nobody any power that root has meant to give.
fn unfit(path: &Path) -> Option<&'static str> {
    let Ok(metadata) = std::fs::metadata(path) else { return Some("it can't be looked at") };
    let others_can_write = |path: &Path| {
        std::fs::metadata(path).map_or(true, |metadata| metadata.uid() != 0 || metadata.mode() & 0o022 != 0)
    };
    if !metadata.is_file() {
        return Some("it is no file");
    }
    if path.ancestors().any(others_can_write) {
        return Some("others than root can change it");
    }
    if metadata.permissions().mode() & 0o4000 == 0 && !has_capabilities(path) {
        return Some("it has neither the set-user-id bit nor capabilities");
    }
    let mount = rustix::fs::statvfs(path);
    if !mount.is_ok_and(|mount| !mount.f_flag.contains(StatVfsMountFlags::NOSUID)) {
        return Some("it lies on a file system that is mounted nosuid");
    }
    None
}

fn has_capabilities(path: &Path) -> bool {
    rustix::fs::getxattr(path, "security.capability", &mut [0_u8; 64]).is_ok_and(|length| length > 0)
}

fn one(program: &Path, pid: u32, lines: &[Line], file: &str) -> Result<(), MapError> {
    let numbers = lines.iter().flat_map(|(inside, outside, count)| [inside, outside, count]);
    let mut command = Command::new(program);
    command.arg(pid.to_string()).args(numbers.map(u32::to_string));
    let output = command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.map_err(|source| MapError::Execute { program: program.to_owned(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().chars().take(500).collect();
        return Err(MapError::Refused { program: program.to_owned(), said });
    }
    let found = id_map(pid, file)?;
    if found == spelled(lines) {
        return Ok(());
    }
    Err(MapError::Differs { program: program.to_owned(), found: found.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_its_owner_can_change_or_that_gives_no_power_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("newuidmap");
        std::fs::write(&program, "").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
        // A directory of somebody's, or one in which everybody can make files.
        assert_eq!(unfit(&program), Some("others than root can change it"));
        let plain = std::fs::canonicalize("/bin/true").unwrap();
        assert!(unfit(&plain).is_some(), "{}", plain.display());
        assert_eq!(unfit(Path::new("/usr/bin")), Some("it is no file"));
    }
}
