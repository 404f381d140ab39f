//! How does a process leave the machine's namespaces? As root directly, as an ordinary user through a user namespace.

use std::fs::{self, File};
use std::os::fd::OwnedFd;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, getegid, geteuid};

/// Why a namespace could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NamespaceError {
    #[error("making a user namespace: {0}")]
    User(nix::Error),
    #[error("mapping ids in the user namespace, {file}: {source}")]
    Map { file: &'static str, source: std::io::Error },
    #[error("making {what}: {errno}")]
    Unshare { what: &'static str, errno: nix::Error },
    #[error("opening the namespace: {0}")]
    Open(std::io::Error),
}

/// Moves the current, single-threaded process to namespaces of its own: the lab's host.
pub(crate) fn make_host() -> Result<(), NamespaceError> {
    become_able()?;
    let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    unshare(flags).map_err(|errno| NamespaceError::Unshare { what: "the host's namespaces", errno })
}

/// Moves the current thread to a network namespace of its own, and gives a descriptor of it.
pub(crate) fn make_internet() -> Result<OwnedFd, NamespaceError> {
    let flags = CloneFlags::CLONE_NEWNET;
    unshare(flags).map_err(|errno| NamespaceError::Unshare { what: "the internet's namespace", errno })?;
    Ok(File::open("/proc/thread-self/ns/net").map_err(NamespaceError::Open)?.into())
}

/// Makes a user namespace unless the process may already make others.
///
/// The map is the identity, so that what enters later and executes a program is the same ordinary user without
/// capabilities, as on a real host, and can make user namespaces of its own.
fn become_able() -> Result<(), NamespaceError> {
    let able = caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_ADMIN).unwrap_or(false);
    if able {
        return Ok(());
    }
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(NamespaceError::User)?;
    map_identity(uid, gid)
}

fn map_identity(uid: Uid, gid: Gid) -> Result<(), NamespaceError> {
    let write =
        |file: &'static str, text: String| fs::write(file, text).map_err(|source| NamespaceError::Map { file, source });
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}
