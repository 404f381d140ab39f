//! What does init execute? Bottle's own program, on a read-only mount of that one file which is attached nowhere.
//!
//! Init lives beside the workload. Whoever opens its /proc/PID/exe there finds the mount, and can write to the file as
//! little as to any other on a read-only mount, whatever its owner and mode.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags};

use crate::sys;

const EXECUTABLE: &str = "/proc/self/exe";

/// Why there is nothing that init could execute.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The program's file could not be found again among the builder's own mounts.
    #[error("bottle's own program is not at {} any more", .0.display())]
    Moved(PathBuf),
    /// A system call failed.
    #[error("cannot {step}")]
    Mount {
        /// Which.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl ProgramError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ProgramError::Moved(_) => Some("its file was replaced or covered since it was started: start it again"),
            ProgramError::Mount { .. } => Some("Linux 5.12 or later, on a file system that can be bound elsewhere"),
        }
    }
}

/// The read-only mount. Its file is the running program's. The calling process has one thread and CAP_SYS_ADMIN in its
/// user namespace, be it a fresh one, where its mounts are its own afterwards.
pub fn read_only() -> Result<OwnedFd, ProgramError> {
    let running = running()?;
    let mount = match copy(&running) {
        Err(Errno::PERM) => copy(&among_own_mounts(&running)?),
        copied => copied,
    };
    closed(mount)
}

/// The same by somebody who has threads, or other things to do: nothing of its own changes. Only who has power over the mounts that the
/// program was started from can do it.
pub(crate) fn read_only_at_once() -> Result<OwnedFd, ProgramError> {
    closed(copy(&running()?))
}

fn failed(step: &'static str) -> impl Fn(io::Error) -> ProgramError {
    move |source| ProgramError::Mount { step, source }
}

/// What the calling process executes.
pub(super) fn running() -> Result<OwnedFd, ProgramError> {
    open(Path::new(EXECUTABLE)).map_err(failed("open bottle's own program"))
}

fn closed(mount: Result<OwnedFd, Errno>) -> Result<OwnedFd, ProgramError> {
    let mount = mount.map_err(io::Error::from).map_err(failed("mount bottle's own program"))?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    sys::set_tree_attributes(mount.as_fd(), u64::from(attributes.bits()), None)
        .map_err(failed("make bottle's own program read-only"))?;
    Ok(mount)
}

/// Whoever made a user namespace has no right over the mounts that the program was started from, but over a copy of
/// them. There the file is found by its path, and must be the same one.
fn among_own_mounts(running: &OwnedFd) -> Result<OwnedFd, ProgramError> {
    let path = std::fs::read_link(EXECUTABLE).map_err(failed("find bottle's own program"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(io::Error::from).map_err(failed("copy the mounts"))?;
    let file = open(&path).map_err(|_| ProgramError::Moved(path.clone()))?;
    let identified = |file| identity(file).map_err(failed("identify bottle's own program"));
    if identified(&file)? == identified(running)? { Ok(file) } else { Err(ProgramError::Moved(path)) }
}

/// A mount of this one file, attached nowhere.
fn copy(file: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(file, "", flags)
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

fn identity(file: &OwnedFd) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::fstat(file)?;
    Ok((stat.st_dev, stat.st_ino))
}
