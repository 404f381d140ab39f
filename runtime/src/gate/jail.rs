//! What does the gate process give up before it reads a byte of the workload's?
//!
//! Everything but the descriptors that it was handed: it lives in network, mount, pid, ipc and uts namespaces of its
//! own which hold nothing, has no capability, and its seccomp filter knows no call that opens or names anything.

use std::io;

use bottle_netns::enter::{EnterError, enter_user_namespace};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, pivot_root};
use rustix::fd::OwnedFd;

use crate::sys::{Forked, fork_successor};

/// The step at which the jail could not be closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum JailError {
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

/// What the original process returns with: the sibling in the new pid namespace, which goes on as the gate.
pub(super) enum Split {
    /// This is the executed process; it reports the sibling and ends.
    Original {
        /// The sibling's id in the supervisor's pid namespace.
        pid: i32,
        /// A descriptor for it.
        pidfd: OwnedFd,
    },
    /// This is the gate.
    Gate,
}

/// Leaves every namespace and forks into the new pid namespace. `own_user` as an ordinary user, who may do this only inside a user namespace.
pub(super) fn split(own_user: bool) -> Result<Split, JailError> {
    if own_user {
        // It is held by living in it.
        enter_user_namespace()?;
    }
    let everything = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(everything).map_err(at("unshare the namespaces"))?;
    match fork_successor().map_err(at("fork into the pid namespace"))? {
        Forked::Sibling => Ok(Split::Gate),
        Forked::Original(pid) => {
            let id = rustix::process::Pid::from_raw(pid).ok_or(io::Error::from(io::ErrorKind::InvalidData));
            let id = id.map_err(at("name the gate"))?;
            let pidfd = rustix::process::pidfd_open(id, rustix::process::PidfdFlags::empty());
            Ok(Split::Original { pid, pidfd: pidfd.map_err(at("hold the gate"))? })
        }
    }
}

/// Swaps the root for an empty, read-only directory. Nothing else is mounted in this namespace afterwards.
pub(super) fn empty_root() -> Result<(), JailError> {
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
