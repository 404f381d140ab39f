//! How does a process lose every privilege, also those it might get back?

use std::io;

use caps::CapSet;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::thread::CapabilitiesSecureBits;

use crate::sys::drop_from_bounding_set;

use super::{ConfineError, Identity, at};

/// Empties the ambient and bounding sets, becomes somebody, empties the other sets, and forbids new privileges.
pub(super) fn give_up(identity: Option<Identity>) -> Result<(), ConfineError> {
    caps::clear(None, CapSet::Ambient).map_err(other).map_err(at("clear the ambient capabilities"))?;
    if has_any().map_err(at("read the capabilities"))? {
        empty_bounding_set().map_err(at("empty the bounding set"))?;
        keep_root_powerless().map_err(at("set the secure bits"))?;
    }
    if let Some(identity) = identity {
        become_identity(identity)?;
    }
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        caps::clear(None, set).map_err(other).map_err(at("clear the capabilities"))?;
    }
    rustix::thread::set_no_new_privs(true).map_err(at("set no_new_privs"))
}

/// The same but for CAP_KILL, where there is one to keep.
pub(super) fn keep_kill_alone(identity: Option<Identity>) -> Result<(), ConfineError> {
    caps::clear(None, CapSet::Ambient).map_err(other).map_err(at("clear the ambient capabilities"))?;
    if has_any().map_err(at("read the capabilities"))? {
        empty_bounding_set().map_err(at("empty the bounding set"))?;
        rustix::thread::set_keep_capabilities(true).map_err(at("keep a capability"))?;
        identity.map_or(Ok(()), become_identity)?;
        let kill = [caps::Capability::CAP_KILL].into_iter().collect();
        for set in [CapSet::Effective, CapSet::Permitted] {
            caps::set(None, set, &kill).map_err(other).map_err(at("keep one capability"))?;
        }
        caps::clear(None, CapSet::Inheritable).map_err(other).map_err(at("clear the capabilities"))?;
        rustix::thread::set_keep_capabilities(false).map_err(at("keep a capability no longer"))?;
    }
    rustix::thread::set_no_new_privs(true).map_err(at("set no_new_privs"))
}

/// The kernel numbers capabilities without a gap, and knows those up to its last.
fn empty_bounding_set() -> io::Result<()> {
    let mut capabilities = 0..;
    while capabilities.next().map_or(Ok(false), drop_from_bounding_set)? {}
    Ok(())
}

fn other(error: caps::errors::CapsError) -> io::Error {
    io::Error::other(error)
}

fn has_any() -> io::Result<bool> {
    Ok(!caps::read(None, CapSet::Effective).map_err(other)?.is_empty())
}

/// uid 0 means nothing from now on, neither on execve(2) nor on a change of ids, and this can't be taken back.
fn keep_root_powerless() -> rustix::io::Result<()> {
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(bits)
}

fn become_identity(identity: Identity) -> Result<(), ConfineError> {
    match setgroups(&[]) {
        // An ordinary user's namespace forbids it: there the groups were the caller's own all along.
        Err(nix::errno::Errno::EPERM) if groups_are_fixed() => {}
        result => result.map_err(at("drop the groups"))?,
    }
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    setresgid(gid, gid, gid).map_err(at("set the gid"))?;
    setresuid(uid, uid, uid).map_err(at("set the uid"))
}

fn groups_are_fixed() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}
