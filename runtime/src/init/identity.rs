//! Which ids mean what? The workload's user namespace, and the maps by which shared files become its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bottle_images::{IDS, Kind, Line, Owner, spelled};
use nix::sched::{CloneFlags, unshare};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags};

use crate::sys;

use super::failure::{at, on};
use super::message::{Failure, pid_of};
use super::plan::{Ids, InitPlan};

/// A uid and a gid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The workload's user namespace and id maps for mounts.
pub(super) struct Identities {
    ids: Ids,
    user: Pair,
    /// The user's ids outside.
    user_outside: Pair,
    namespace: OwnedFd,
    /// By owner of a shared tree: the map under which that owner is the workload.
    shares: BTreeMap<Pair, OwnedFd>,
}

impl Identities {
    /// Makes every user namespace that the plan needs.
    pub(super) fn make(plan: &InitPlan) -> Result<Identities, Failure> {
        let user = Pair { uid: plan.files.user.uid, gid: plan.files.user.gid };
        let own = (user.uid, user.gid);
        let (uid, gid) = plan.ids.outside(own, own).ok_or(io::ErrorKind::InvalidData).map_err(at("map the user"))?;
        let (uids, gids) = plan.ids.maps(own);
        let namespace = user_namespace(&uids, &gids)?;
        let (user_outside, shares) = (Pair { uid, gid }, BTreeMap::new());
        let mut identities = Identities { ids: plan.ids, user, user_outside, namespace, shares };
        if let Ids::Private { base } = plan.ids {
            identities.map_shares(plan, base)?;
        }
        Ok(identities)
    }

    fn map_shares(&mut self, plan: &InitPlan, base: u32) -> Result<(), Failure> {
        for mount in &plan.files.mounts {
            let Kind::Share { source, .. } = &mount.kind else {
                continue;
            };
            let owner = owner(source)?;
            if owner != self.user && !self.shares.contains_key(&owner) {
                let uids = swapped(base, self.user.uid, owner.uid);
                let gids = swapped(base, self.user.gid, owner.gid);
                self.shares.insert(owner, user_namespace(&uids, &gids)?);
            }
        }
        Ok(())
    }

    /// The workload's user namespace.
    pub(super) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// The map for a tree of the host's programs, if ids can be mapped at all.
    pub(super) fn system_map(&self) -> Option<BorrowedFd<'_>> {
        matches!(self.ids, Ids::Private { .. }).then(|| self.namespace.as_fd())
    }

    /// The map for a shared tree of this owner's, if ids can be mapped at all.
    pub(super) fn share_map(&self, owner: Pair) -> Option<BorrowedFd<'_>> {
        let map = self.shares.get(&owner).unwrap_or(&self.namespace);
        matches!(self.ids, Ids::Private { .. }).then(|| map.as_fd())
    }

    /// The workload's ids inside.
    pub(super) fn user(&self) -> Pair {
        self.user
    }

    /// Ids outside, as pid 1 sees them before it gives its own up. Where nobody is uid 0, the workload's.
    pub(super) fn outside(&self, owner: Owner) -> Pair {
        let root = match owner {
            Owner::Root => self.ids.outside((0, 0), (self.user.uid, self.user.gid)),
            Owner::User => None,
        };
        root.map_or(self.user_outside, |(uid, gid)| Pair { uid, gid })
    }

    /// Ids outside of what this pair owns on disk, in a tree of the host's programs.
    pub(super) fn on_disk(&self, owner: Pair) -> Pair {
        match self.ids {
            Ids::Own { .. } | Ids::Range { .. } | Ids::One { .. } | Ids::Within { .. } => owner,
            Ids::Private { base } => Pair { uid: base.saturating_add(owner.uid), gid: base.saturating_add(owner.gid) },
        }
    }

    /// Whether what this pair owns on disk is somebody's inside.
    pub(super) fn is_mapped(&self, owner: Pair) -> bool {
        match self.ids {
            Ids::Own { uid, gid } | Ids::Within { uid, gid } => owner == Pair { uid, gid },
            Ids::One { id } => owner == Pair { uid: id, gid: id },
            Ids::Range { map } => map.uids.inside(owner.uid).is_some() && map.gids.inside(owner.gid).is_some(),
            Ids::Private { .. } => owner.uid < IDS && owner.gid < IDS,
        }
    }

    /// Whether the workload is an ordinary user's.
    pub(super) fn is_own(&self) -> bool {
        self.ids.is_own()
    }
}

/// Who owns a path of the host.
fn owner(path: &Path) -> Result<Pair, Failure> {
    let metadata = std::fs::metadata(path).map_err(on("look at", path))?;
    Ok(Pair { uid: metadata.uid(), gid: metadata.gid() })
}

fn one(inside: u32, outside: u32) -> Line {
    (inside, outside, 1)
}

fn plain(base: u32) -> Vec<Line> {
    vec![(0, base, IDS)]
}

/// The plain map, but with the owner and the workload's user in each other's place.
fn swapped(base: u32, user: u32, owner: u32) -> Vec<Line> {
    if user == owner {
        return plain(base);
    }
    let mut lines = vec![one(owner, base + user)];
    if owner < IDS {
        lines.push(one(user, base + owner));
    }
    let mut cuts = [user, owner.min(IDS)];
    cuts.sort_unstable();
    let gaps = [(0, cuts[0]), (cuts[0] + 1, cuts[1]), (cuts[1].saturating_add(1), IDS)];
    lines.extend(
        gaps.into_iter().filter(|(first, end)| first < end).map(|(first, end)| (first, base + first, end - first)),
    );
    lines
}

/// A child makes the namespace, this process writes its maps and keeps it.
fn user_namespace(uids: &[Line], gids: &[Line]) -> Result<OwnedFd, Failure> {
    const STEP: &str = "make the workload's user namespace";
    let (made, tell_made) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(at(STEP))?;
    let (done, tell_done) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(at(STEP))?;
    let Some(child) = sys::fork_child().map_err(at(STEP))? else {
        drop(tell_done);
        sys::exit_now(hold_namespace(&tell_made, &done));
    };
    drop((tell_made, done));
    let child = Pid::from_raw(child);
    let mut errno = [0; 4];
    let namespace = match rustix::io::read(&made, &mut errno).map_err(at(STEP))? {
        4 if errno == [0; 4] => keep(child, uids, gids).map_err(at(STEP)),
        4 => Err(refused(at(STEP)(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))), i32::from_ne_bytes(errno))),
        _ => Err(at(STEP)(io::Error::from(io::ErrorKind::UnexpectedEof))),
    };
    drop(tell_done);
    rustix::process::waitpid(child, rustix::process::WaitOptions::empty()).map_err(at(STEP))?;
    namespace
}

/// The limit on user namespaces holds for root too.
fn refused(failure: Failure, errno: i32) -> Failure {
    match errno {
        libc::ENOSPC => Failure { hint: Some("sysctl user.max_user_namespaces=15000".to_owned()), ..failure },
        _ => failure,
    }
}

/// In the child: makes the namespace, says how that went, and stays until the parent has it.
fn hold_namespace(tell_made: &OwnedFd, done: &OwnedFd) -> i32 {
    // Only a dumpable process's maps may be written by an ordinary user.
    let dumpable = rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(io::Error::from);
    let made = dumpable.and_then(|()| Ok(unshare(CloneFlags::CLONE_NEWUSER)?));
    let errno = made.err().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
    let told = rustix::io::write(tell_made, &errno.to_ne_bytes());
    let waited = rustix::io::read(done, &mut [0; 1]);
    i32::from(told.is_err() || waited.is_err())
}

fn keep(child: Option<Pid>, uids: &[Line], gids: &[Line]) -> io::Result<OwnedFd> {
    let child = rustix::process::pidfd_open(child.ok_or(io::ErrorKind::NotFound)?, PidfdFlags::empty())?;
    // This is still the host's /proc, where the child has another id than here.
    let base = Path::new("/proc").join(pid_of(&child)?.to_string());
    std::fs::write(base.join("uid_map"), spelled(uids).join("\n"))?;
    std::fs::write(base.join("gid_map"), spelled(gids).join("\n"))?;
    Ok(File::open(base.join("ns/user"))?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(lines: &[Line], inside: u32) -> Option<u32> {
        let line = lines.iter().find(|(first, _, count)| (*first..first + count).contains(&inside))?;
        Some(line.1 + inside - line.0)
    }

    #[test]
    fn the_owner_of_a_share_and_the_user_change_places() {
        for (user, owner) in [(0, 1000), (1000, 0), (5, 6), (0, 65_535), (65_535, 0)] {
            let lines = swapped(100_000, user, owner);
            assert_eq!(outside(&lines, owner), Some(100_000 + user));
            assert_eq!(outside(&lines, user), Some(100_000 + owner));
            assert_eq!(outside(&lines, 42), Some(100_042));
            assert_eq!(lines.iter().map(|line| line.2).sum::<u32>(), IDS);
        }
    }

    #[test]
    fn an_owner_beyond_the_range_takes_the_users_place() {
        let lines = swapped(100_000, 0, 4_000_000);
        assert_eq!(outside(&lines, 4_000_000), Some(100_000));
        assert_eq!(outside(&lines, 0), None);
        assert_eq!(outside(&lines, 65_535), Some(165_535));
    }
}
