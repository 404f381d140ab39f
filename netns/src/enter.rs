//! How does the builder come by namespaces of its own?
//!
//! For a process with one thread only: the kernel refuses a user namespace to any other.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Gid, Uid, getgid, getuid};
use thiserror::Error;

/// Why no namespace could be had.
#[derive(Debug, Error)]
pub enum EnterError {
    /// The kernel has no user namespaces, or the host allows none.
    #[error("this host gives no user namespace: {errno}")]
    NoUserNamespaces {
        /// ENOSPC: the limit is used up or zero. EPERM: switched off. EINVAL: not built in, or threads.
        errno: Errno,
    },
    /// AppArmor takes the capabilities away that a user namespace would give.
    #[error("AppArmor restricts user namespaces on this host: {errno}")]
    AppArmor {
        /// What the kernel said.
        errno: Errno,
    },
    /// The ids could not be mapped.
    #[error("{path}")]
    Map {
        /// The file that took no map.
        path: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A network namespace could not be made.
    #[error("new network namespace: {errno}")]
    Network {
        /// What the kernel said.
        errno: Errno,
    },
    /// A namespace could not be opened.
    #[error("{path}")]
    Open {
        /// The file.
        path: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A namespace could not be entered.
    #[error("enter a namespace: {errno}")]
    Enter {
        /// What the kernel said.
        errno: Errno,
    },
}

impl EnterError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            EnterError::NoUserNamespaces { errno: Errno::ENOSPC } => {
                Some("sysctl user.max_user_namespaces=15000, or run as root")
            }
            EnterError::NoUserNamespaces { errno: Errno::EPERM } => {
                Some("sysctl kernel.unprivileged_userns_clone=1, or run as root")
            }
            EnterError::NoUserNamespaces { .. } => Some("run as root"),
            EnterError::AppArmor { .. } => {
                Some("sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns")
            }
            EnterError::Network { errno: Errno::ENOSPC } => Some("sysctl user.max_net_namespaces=15000"),
            EnterError::Network { errno: Errno::EINVAL } => Some("a kernel with CONFIG_NET_NS"),
            _ => None,
        }
    }
}

/// The setting by which AppArmor takes capabilities from unprivileged user namespaces.
const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

/// Enters a new user namespace in which the caller keeps its ids and has every capability.
///
/// Returns the namespace. The capabilities last until the process executes a program.
pub fn enter_user_namespace() -> Result<OwnedFd, EnterError> {
    let own = OwnIds::now();
    unshare(CloneFlags::CLONE_NEWUSER).map_err(no_user_namespace)?;
    own.keep()?;
    open("/proc/self/ns/user")
}

/// What a process was before it came into a new user namespace, where it is nobody at first.
#[derive(Clone, Copy, Debug)]
pub struct OwnIds {
    uid: Uid,
    gid: Gid,
}

impl OwnIds {
    /// The caller's.
    pub fn now() -> OwnIds {
        OwnIds { uid: getuid(), gid: getgid() }
    }

    /// Has the calling process, which was made in a new user namespace, be there what its maker is outside.
    pub fn keep(self) -> Result<(), EnterError> {
        let OwnIds { uid, gid } = self;
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/uid_map", &format!("{uid} {uid} 1"))?;
        write("/proc/self/gid_map", &format!("{gid} {gid} 1"))
    }
}

/// Why the kernel would not make a user namespace.
pub fn no_user_namespace(errno: Errno) -> EnterError {
    refused(errno, apparmor_restricts())
}

/// Enters a new network namespace and returns it. Of a process with several threads only the calling one does.
pub fn enter_network_namespace() -> Result<OwnedFd, EnterError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
        // The user namespace was given, but not what it is good for.
        Errno::EPERM if apparmor_restricts() => EnterError::AppArmor { errno },
        errno => EnterError::Network { errno },
    })?;
    open("/proc/thread-self/ns/net")
}

/// Enters a network namespace that someone holds.
pub fn reenter_network_namespace(namespace: impl AsFd) -> Result<(), EnterError> {
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| EnterError::Enter { errno })
}

/// Enters a user namespace that someone holds. It belongs to the caller, who keeps its ids and has every capability there until it
/// executes a program.
pub fn reenter_user_namespace(namespace: impl AsFd) -> Result<(), EnterError> {
    setns(namespace, CloneFlags::CLONE_NEWUSER).map_err(|errno| EnterError::Enter { errno })
}

fn apparmor_restricts() -> bool {
    fs::read_to_string(APPARMOR).is_ok_and(|value| value.trim() != "0")
}

/// What a refused user namespace means.
fn refused(errno: Errno, apparmor_restricts: bool) -> EnterError {
    match errno {
        Errno::EPERM | Errno::EACCES if apparmor_restricts => EnterError::AppArmor { errno },
        errno => EnterError::NoUserNamespaces { errno },
    }
}

fn write(path: &'static str, text: &str) -> Result<(), EnterError> {
    fs::write(path, text).map_err(|source| EnterError::Map { path, source })
}

fn open(path: &'static str) -> Result<OwnedFd, EnterError> {
    File::open(path).map(OwnedFd::from).map_err(|source| EnterError::Open { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_under_apparmors_restriction_is_told_apart() {
        assert!(matches!(refused(Errno::EPERM, true), EnterError::AppArmor { .. }));
        assert!(matches!(refused(Errno::EACCES, true), EnterError::AppArmor { .. }));
        assert!(matches!(refused(Errno::EPERM, false), EnterError::NoUserNamespaces { .. }));
        assert!(matches!(refused(Errno::ENOSPC, true), EnterError::NoUserNamespaces { .. }));
    }

    #[test]
    fn every_refusal_of_a_user_namespace_has_a_hint() {
        for errno in [Errno::EPERM, Errno::ENOSPC, Errno::EINVAL] {
            for restricted in [false, true] {
                assert!(refused(errno, restricted).hint().is_some());
            }
        }
    }
}
