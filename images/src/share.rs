//! What must be covered or pinned where a host directory is shared with the workload?

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::mountinfo::{self, MountPoint};
use crate::plan::{Access, Kind, Mount};
use crate::repository::Repositories;
use crate::scan::{self, DOORS, Enter, ScanError};

/// File systems whose files are just files. Others may lead to another machine, a process or the kernel.
#[rustfmt::skip]
const PLAIN: [&str; 17] = [
    "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs", "ntfs3", "overlay",
    "squashfs", "tmpfs", "vfat", "xfs", "zfs",
];

/// File systems in which nothing is a file: what is done there is done to a process, a terminal or the machine.
#[rustfmt::skip]
const KERNELS: [&str; 23] = [
    "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
    "fusectl", "nsfs", "mqueue", "nfsd", "proc", "pstore", "resctrl", "rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "sysfs", "tracefs",
];

/// The mounts that share a canonical host path at a target, and what lies within it that must be covered.
///
/// Covered are sockets and FIFOs (they lead to processes outside), mounts of file systems that lead elsewhere, and
/// directories that can't be looked into: the workload could open one that is its own, and there is no telling what is in it.
/// A repository's `.git/config`, `.git/commondir` and `.git/hooks` are read-only, since the host's git executes what
/// they say, in nested repositories too; `.git` itself is pinned, or it could be renamed and made anew.
pub(crate) fn mounts(
    source: &Path,
    target: &Path,
    access: Access,
    host: &[MountPoint],
    home: &Path,
    warnings: &mut Vec<String>,
) -> Result<Vec<Mount>, ScanError> {
    if let Some(mount) = mountinfo::holding(host, source).filter(|mount| KERNELS.contains(&mount.kind.as_str())) {
        return Err(ScanError::Kernels { tree: source.to_owned(), kind: mount.kind.clone() });
    }
    let mut mounts = vec![Mount::new(target, Kind::Share { source: source.to_owned(), access })];
    if !source.is_dir() {
        return Ok(mounts);
    }
    let inside = |path: &Path| target.join(path.strip_prefix(source).unwrap_or(path));
    let foreign = foreign_mounts(source, host);
    mounts.extend(foreign.iter().map(|path| Mount::new(inside(path), Kind::MaskDirectory)));
    let mut repositories = Repositories::of(source, home);
    let mut doors = Vec::new();
    let closed = scan::walk(source, &foreign, |found| {
        if found.is_door() {
            doors.push(Mount::new(inside(&found.path), Kind::MaskFile));
            if doors.len() > DOORS {
                return Enter::Stop;
            }
        } else if found.path.file_name() == Some(OsStr::new(".git")) {
            repositories.add_nested(&found.path);
        } else if found.path.file_name() == Some(OsStr::new("HEAD")) {
            repositories.add_bare(found.path.parent().unwrap_or(source));
        }
        Enter::Yes
    })?;
    if doors.len() + closed.len() > DOORS {
        return Err(ScanError::TooManyDoors { tree: source.to_owned() });
    }
    mounts.extend(doors);
    mounts.extend(closed.iter().map(|path| Mount::new(inside(path), Kind::MaskDirectory)));
    let is_closed = |path: &Path| closed.iter().any(|closed| path.starts_with(closed));
    warnings.extend(covered(&closed));
    if access == Access::ReadWrite {
        if repositories.is_short() {
            warnings.push(format!(
                "{} holds more git repositories than are made read-only: what the command changes in the others is listed at \
                 the end",
                source.display()
            ));
        }
        let pins = repositories.pins().into_iter().filter(|(path, _)| !is_closed(path));
        mounts.extend(pins.map(|(path, kind)| Mount::new(inside(&path), kind)));
        // A pinned directory covers the masks that were put below it before: the pins come first.
        mounts[1..].sort_by_key(|mount| matches!(mount.kind, Kind::MaskFile | Kind::MaskDirectory));
    }
    Ok(mounts)
}

fn foreign_mounts(source: &Path, host: &[MountPoint]) -> Vec<PathBuf> {
    let foreign = mountinfo::below(host, source).filter(|mount| !PLAIN.contains(&mount.kind.as_str()));
    let mut targets: Vec<PathBuf> = foreign.map(|mount| mount.target.clone()).collect();
    targets.sort();
    // What lies below another masked one is masked with it.
    targets.dedup_by(|later, earlier| later.starts_with(earlier));
    targets
}

/// One sentence about the directories that can't be looked into, however many there are.
fn covered(closed: &[PathBuf]) -> Option<String> {
    let [first, others @ ..] = closed else { return None };
    let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
    let first = first.display();
    Some(format!(
        "{first}{more} can't be looked into, so nothing of it is shown inside; chmod u+rwx shares what is yours"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn kinds(mounts: &[Mount]) -> Vec<(String, Kind)> {
        mounts[1..].iter().map(|mount| (mount.target.display().to_string(), mount.kind.clone())).collect()
    }

    #[test]
    fn what_belongs_to_the_kernel_is_not_shared() {
        let host = mountinfo::read().unwrap();
        for source in ["/proc/self", "/proc/self/environ", "/proc/sys", "/dev/pts"] {
            let shared =
                mounts(Path::new(source), Path::new("/w"), Access::ReadOnly, &host, Path::new("/h"), &mut Vec::new());
            assert!(matches!(shared, Err(ScanError::Kernels { .. })), "{source}: {shared:?}");
        }
    }

    #[test]
    fn a_repository_is_pinned_before_its_settings_are_closed() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join(".git")).unwrap();
        std::fs::write(tree.path().join(".git/config"), "").unwrap();
        let mounts =
            mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &[], Path::new("/h"), &mut Vec::new()).unwrap();
        let expected = [
            ("/w/.git".to_owned(), Kind::Pin { access: Access::ReadWrite }),
            ("/w/.git/commondir".to_owned(), Kind::PinFile { text: ".\n".to_owned() }),
            ("/w/.git/config".to_owned(), Kind::PinFile { text: String::new() }),
            ("/w/.git/hooks".to_owned(), Kind::PinDirectory),
        ];
        assert_eq!(kinds(&mounts), expected);
    }

    #[test]
    fn settings_of_a_work_tree_are_pinned_where_git_obeys_them() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join(".git")).unwrap();
        std::fs::write(tree.path().join(".git/config"), "[extensions]\n\tworktreeConfig = true\n").unwrap();
        let mounts =
            mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &[], Path::new("/h"), &mut Vec::new()).unwrap();
        let pin = Mount::new("/w/.git/config.worktree", Kind::PinFile { text: String::new() });
        assert!(mounts.contains(&pin), "{mounts:?}");
    }

    #[test]
    fn a_socket_within_the_repository_is_masked_after_the_pin() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join(".git")).unwrap();
        let _socket = UnixListener::bind(tree.path().join(".git/fsmonitor--daemon.ipc")).unwrap();
        let mounts =
            mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &[], Path::new("/h"), &mut Vec::new()).unwrap();
        assert_eq!(mounts.last().unwrap(), &Mount::new("/w/.git/fsmonitor--daemon.ipc", Kind::MaskFile));
        assert_eq!(mounts[1].target, Path::new("/w/.git"));
    }

    #[test]
    fn more_sockets_and_fifos_than_can_be_covered_are_refused_with_their_own_reason() {
        let tree = tempfile::tempdir().unwrap();
        let share = || mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &[], Path::new("/h"), &mut Vec::new());
        let make = |number: usize| {
            let fifo = tree.path().join(number.to_string());
            rustix::fs::mknodat(rustix::fs::CWD, fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        };
        (0..DOORS).for_each(make);
        assert_eq!(share().unwrap().len(), 1 + DOORS);
        make(DOORS);
        let error = crate::ResolveError::from(share().unwrap_err());
        assert!(error.hint().is_some_and(|hint| hint.contains("-type p")), "{error:?}");
    }

    #[test]
    fn directories_that_cannot_be_looked_into_count_among_what_is_covered() {
        use std::os::unix::fs::PermissionsExt;
        let tree = tempfile::tempdir().unwrap();
        let share = || mounts(tree.path(), Path::new("/w"), Access::ReadOnly, &[], Path::new("/h"), &mut Vec::new());
        for number in 0..=DOORS {
            let closed = tree.path().join(number.to_string());
            std::fs::create_dir(&closed).unwrap();
            std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o300)).unwrap();
        }
        let is_root = std::fs::read_dir(tree.path().join("0")).is_ok();
        assert!(matches!(share(), Err(ScanError::TooManyDoors { .. })) != is_root);
        std::fs::remove_dir(tree.path().join("0")).unwrap();
        assert_eq!(share().unwrap().len(), if is_root { 1 } else { 1 + DOORS });
    }

    #[test]
    fn a_file_system_that_leads_elsewhere_is_masked_and_not_entered() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("far/away")).unwrap();
        let point = |path: &str, kind: &str| MountPoint {
            id: 9,
            options: "rw".into(),
            device: "0:9".into(),
            root: "/".into(),
            target: tree.path().join(path),
            kind: kind.into(),
        };
        let host = [point("far", "fuse.sshfs"), point("far/away", "nfs4"), point("near", "ext4")];
        let mounts =
            mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &host, Path::new("/h"), &mut Vec::new()).unwrap();
        assert_eq!(kinds(&mounts), [("/w/far".to_owned(), Kind::MaskDirectory)]);
    }

    #[test]
    fn a_directory_that_cannot_be_looked_into_is_covered_with_all_that_is_in_it() {
        use std::os::unix::fs::PermissionsExt;
        let tree = tempfile::tempdir().unwrap();
        let closed = tree.path().join("closed");
        std::fs::create_dir_all(closed.join(".git")).unwrap();
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o300)).unwrap();
        let mut warnings = Vec::new();
        let mounts =
            mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &[], Path::new("/h"), &mut warnings).unwrap();
        if std::fs::read_dir(&closed).is_err() {
            assert_eq!(kinds(&mounts), [("/w/closed".to_owned(), Kind::MaskDirectory)]);
            assert!(warnings[0].contains("chmod"));
        } else {
            // To root it is a directory like others.
            assert!(mounts.iter().any(|mount| mount.target == Path::new("/w/closed/.git")));
        }
    }
}
