//! What does the gate process give up before it reads a byte of the workload's?
//!
//! Everything but the descriptors that it was handed: it lives in network, mount, pid, ipc and uts namespaces of its
//! own which hold nothing, has no capability, and its seccomp filter knows no call that opens or names anything.

use std::io;

use bottle_netns::enter::{EnterError, OwnIds};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, pivot_root};

/// The step at which the jail could not be closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JailError {
    /// There is no user namespace for it.
    #[error(transparent)]
    User(#[from] EnterError),
    /// A system call failed.
    #[error("cannot {step}")]
    Step {
        /// Which step, as an imperative.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

fn at<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> JailError {
    move |error| JailError::Step { step, source: error.into() }
}

/// Leaves every namespace but those that the process was made in: its own pid namespace, and as an ordinary user's, who may
/// do this only there, its own user namespace. It holds that by living in it.
pub(super) fn leave_namespaces(own: Option<OwnIds>) -> Result<(), JailError> {
    own.map_or(Ok(()), OwnIds::keep)?;
    let rest = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(rest).map_err(at("unshare the namespaces"))
}

/// Swaps the root for an empty, read-only directory. Nothing else is mounted in this namespace afterwards.
pub(crate) fn empty_root() -> Result<(), JailError> {
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).map_err(at("make mounts private"))?;
    let closed = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // Any directory that every host has will do as the place; it is gone with the old root.
    mount(Some("none"), "/proc", Some("tmpfs"), closed, Some("size=4k,mode=555")).map_err(at("mount an empty root"))?;
    chdir("/proc").map_err(at("enter the empty root"))?;
    pivot_root(".", ".").map_err(at("pivot into the empty root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(at("detach the old root"))?;
    chdir("/").map_err(at("enter the empty root"))
}
