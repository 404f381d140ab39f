//! What does the gate process give up before it reads a byte of the workload's?
//!
//! Everything but the descriptors that it was handed: it lives in network, mount, pid, ipc and uts namespaces of its
//! own which hold nothing, has no capability, and its seccomp filter knows no call that opens or names anything.

use std::io;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, chdir, pivot_root};
use rustix::fd::OwnedFd;

use crate::sys::{Forked, fork_sibling};

/// The step at which the jail could not be closed.
#[derive(Debug, thiserror::Error)]
#[error("cannot jail the gate: {step}")]
pub struct JailError {
    step: &'static str,
    source: io::Error,
}

fn at<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> JailError {
    move |error| JailError { step, source: error.into() }
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
        enter_user_namespace()?;
    }
    let everything = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(everything).map_err(at("unshare the namespaces"))?;
    match fork_sibling().map_err(at("fork into the pid namespace"))? {
        Forked::Sibling => Ok(Split::Gate),
        Forked::Original(pid) => {
            let id = rustix::process::Pid::from_raw(pid).ok_or(io::Error::from(io::ErrorKind::InvalidData));
            let id = id.map_err(at("name the gate"))?;
            let pidfd = rustix::process::pidfd_open(id, rustix::process::PidfdFlags::empty());
            Ok(Split::Original { pid, pidfd: pidfd.map_err(at("hold the gate"))? })
        }
    }
}

/// The caller's one id, mapped to itself; groups can't be set.
fn enter_user_namespace() -> Result<(), JailError> {
    let (uid, gid) = (Uid::current(), Gid::current());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(at("unshare the user namespace"))?;
    std::fs::write("/proc/self/setgroups", "deny").map_err(at("deny setgroups"))?;
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).map_err(at("map the uid"))?;
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).map_err(at("map the gid"))
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

/// Becomes an id that owns nothing, as root only: afterwards no capability and no group is left.
pub(super) fn become_nobody(id: u32) -> Result<(), JailError> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    nix::unistd::setgroups(&[]).map_err(at("drop the groups"))?;
    nix::unistd::setresgid(gid, gid, gid).map_err(at("set the gid"))?;
    nix::unistd::setresuid(uid, uid, uid).map_err(at("set the uid"))
}
