//! Does the held workload see the mounts that were planned, as they were planned, and no others?
//!
//! The plan says what each must be ([`super::planned`]). A tree that is bound brings what the host has mounted within it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use bottle_images::MountPlan;
use bottle_images::mountinfo::{self, MountPoint};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::planned::{Planned, Presence, What, planned};
use super::process::MeasureError;

/// What is wrong with the mounts of the process with this id, if anything is.
pub(super) fn deviation(pid: u32, plan: &MountPlan) -> Result<Option<String>, MeasureError> {
    let read = |path: PathBuf| mountinfo::read_at(&path).map_err(|source| MeasureError { path, source });
    let (host, found) = (read("/proc/self/mountinfo".into())?, read(format!("/proc/{pid}/mountinfo").into())?);
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let directory = std::fs::File::open(&root).map_err(|source| MeasureError { path: root, source })?;
    Ok(compare(&planned(plan, &host), &found, &host, |target| place(&directory, target)))
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing.
    Nothing,
    /// The root of the mount with this number.
    Mount(u64),
    /// Something else, or nobody can tell.
    Other,
}

/// What is at a path, links within the process's root followed.
fn place(root: &std::fs::File, target: &Path) -> Place {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let below = target.strip_prefix("/").unwrap_or(target);
    let place = match rustix::fs::openat2(root, below, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
        Ok(place) => place,
        Err(Errno::NOENT | Errno::NOTDIR) => return Place::Nothing,
        Err(_) => return Place::Other,
    };
    match rustix::fs::statx(&place, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID) {
        Ok(stat) if stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) => Place::Mount(stat.stx_mnt_id),
        _ => Place::Other,
    }
}

fn compare(
    planned: &[Planned],
    found: &[MountPoint],
    host: &[MountPoint],
    place: impl Fn(&Path) -> Place,
) -> Option<String> {
    let mut explained = HashSet::new();
    let mut bound: Vec<(&Planned, &MountPoint)> = Vec::new();
    for one in planned {
        // Of several upon each other the lowest was put there first.
        let by_name = found.iter().find(|it| it.target == one.target && !explained.contains(&it.id));
        let by_link = || match place(&one.target) {
            Place::Mount(id) => found.iter().find(|it| it.id == id),
            Place::Nothing | Place::Other => None,
        };
        let Some(mount) = by_name.or_else(by_link) else {
            if one.presence == Presence::Demanded || place(&one.target) != Place::Nothing {
                return Some(format!("lacks the mount at {}", one.target.display()));
            }
            continue;
        };
        if let Some(wrong) = one.what.wrong(mount).or_else(|| one.lacks(mount)) {
            return Some(format!("sees at {} a mount that {wrong}", one.target.display()));
        }
        explained.insert(mount.id);
        bound.push((one, mount));
    }
    let others = found.iter().filter(|mount| !explained.contains(&mount.id));
    let stray = others.into_iter().find(|mount| !bound.iter().any(|(one, at)| brings(one, at, mount, host)))?;
    Some(format!("sees a mount that was not planned: {} at {}", stray.kind, stray.target.display()))
}

/// Whether what was bound brings this mount along, since the host has it within the tree.
fn brings(one: &Planned, at: &MountPoint, mount: &MountPoint, host: &[MountPoint]) -> bool {
    let (What::Tree { source, .. } | What::LayeredTree { source, .. }) = &one.what else { return false };
    let Ok(relative) = mount.target.strip_prefix(&at.target) else { return false };
    let on_host = source.join(relative);
    let same = |it: &&MountPoint| it.target == on_host && it.device == mount.device && it.root == mount.root;
    mountinfo::below(host, source).any(|it| same(&it)) && one.lacks(mount).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(id: u64, target: &str, kind: &str, options: &str) -> MountPoint {
        let (device, root) = ("8:1".into(), PathBuf::from("/").join(target.trim_start_matches("/inside")));
        MountPoint { id, device, root, target: target.into(), options: options.into(), kind: kind.into() }
    }

    /// A host directory `/data` that holds a mount, shared read-only, and a plan of a root, that, and a /proc.
    fn plan() -> MountPlan {
        use bottle_images::{Access, Kind, Mount, Root, User};
        let share = Kind::Share { source: "/data".into(), access: Access::ReadOnly };
        MountPlan {
            root: Root::Tmpfs,
            read_only: false,
            mounts: vec![Mount::new("/inside/data", share), Mount::new("/inside/data/door", Kind::MaskFile)],
            user: User { uid: 1, gid: 1, name: "u".into(), home: "/h".into(), shell: "/bin/sh".into() },
            env: vec![],
            workdir: "/".into(),
            writable: vec![],
            warnings: vec![],
        }
    }

    fn host() -> Vec<MountPoint> {
        vec![mount(1, "/", "ext4", "rw"), mount(2, "/data/more", "ext4", "rw")]
    }

    fn seen() -> Vec<MountPoint> {
        const QUIET: &str = "ro,nosuid,nodev,relatime";
        vec![
            mount(11, "/", "tmpfs", "rw,nosuid,nodev"),
            mount(12, "/inside/data", "ext4", QUIET),
            mount(13, "/inside/data/more", "ext4", QUIET),
            MountPoint { root: "/nothing".into(), ..mount(14, "/inside/data/door", "tmpfs", "ro,nosuid,nodev,noexec") },
        ]
    }

    fn judged(spoil: impl FnOnce(&mut Vec<MountPoint>)) -> Option<String> {
        let mut found = seen();
        spoil(&mut found);
        compare(&planned(&plan(), &host()), &found, &host(), |_| Place::Nothing)
    }

    #[test]
    fn what_was_planned_and_what_the_host_has_within_it_is_accepted() {
        assert_eq!(judged(|_| ()), None);
        assert_eq!(judged(|found| drop(found.remove(2))), None, "what can't map ids is left out");
    }

    #[test]
    fn each_deviation_is_refused() {
        type Spoil = fn(&mut Vec<MountPoint>);
        let cases: [(&str, Spoil); 8] = [
            ("lacks the mount at /inside/data", |found| drop(found.remove(1))),
            ("is not read-only", |found| found[1].options = "rw,nosuid,nodev".into()),
            ("is not nosuid", |found| found[0].options = "rw,nodev".into()),
            ("is another tree", |found| found[1].root = "/etc".into()),
            ("is another tree", |found| found[1].device = "8:2".into()),
            ("is a devtmpfs", |found| found[0].kind = "devtmpfs".into()),
            ("not planned: tmpfs at /inside/extra", |found| found.push(mount(15, "/inside/extra", "tmpfs", "rw"))),
            ("not planned: ext4 at /inside/data/more", |found| found[2].options = "rw,nosuid,nodev".into()),
        ];
        for (what, spoil) in cases {
            let judged = judged(spoil);
            assert!(judged.as_ref().is_some_and(|said| said.contains(what)), "{what}: {judged:?}");
        }
    }

    #[test]
    fn only_what_is_gone_needs_no_cover() {
        let mut found = seen();
        found.pop();
        let judged = |place| compare(&planned(&plan(), &host()), &found, &host(), |_| place);
        assert_eq!(judged(Place::Nothing), None);
        for there in [Place::Other, Place::Mount(99)] {
            assert_eq!(judged(there).as_deref(), Some("lacks the mount at /inside/data/door"));
        }
    }

    #[test]
    fn a_mount_upon_a_planned_one_is_refused() {
        let judged = judged(|found| found.push(MountPoint { id: 15, ..found[0].clone() }));
        assert_eq!(judged.as_deref(), Some("sees a mount that was not planned: tmpfs at /"));
    }
}
