//! How does a process lose every right that its ids and capabilities give?

use caps::CapSet;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::{ConfineError, at};
use crate::sys;

/// Which ids the process has afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Those that it has: the only ones that an ordinary user's namespace maps.
    Keep,
    /// These, and no supplementary group.
    Become {
        /// Real, effective, saved and file system uid.
        uid: u32,
        /// Likewise the gid.
        gid: u32,
    },
}

/// Empties every capability set, changes the ids, and forbids to gain anything by executing a file.
pub(super) fn give_up(ids: Ids) -> Result<(), ConfineError> {
    caps::clear(None, CapSet::Ambient).map_err(|error| at("clear the ambient set")(std::io::Error::other(error)))?;
    empty_bounding_set()?;
    if let Ids::Become { uid, gid } = ids {
        setgroups(&[]).map_err(at("drop the groups"))?;
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        setresgid(gid, gid, gid).map_err(at("set the gid"))?;
        setresuid(uid, uid, uid).map_err(at("set the uid"))?;
    }
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(|error| at("clear a capability set")(std::io::Error::other(error)))?;
    }
    rustix::thread::set_no_new_privs(true).map_err(at("set no_new_privs"))
}

/// Drops by number, up to the last that this kernel knows: it may know more than any library.
fn empty_bounding_set() -> Result<(), ConfineError> {
    // Without the right to change the set there is nothing in the other sets either that it could limit.
    if !caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP).unwrap_or(false) {
        return Ok(());
    }
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").ok().and_then(|text| text.trim().parse().ok());
    for capability in 0..=last.unwrap_or(63) {
        sys::drop_from_bounding_set(capability).map_err(at("empty the bounding set"))?;
    }
    Ok(())
}
