//! What must be covered or pinned where a host directory is shared with the workload?

use std::path::{Path, PathBuf};

use crate::mountinfo::{self, MountPoint};
use crate::plan::{Access, Kind, Mount};
use crate::scan::{self, Enter, ScanError};

/// File systems whose files are just files. Others may lead to another machine, a process or the kernel.
#[rustfmt::skip]
const PLAIN: [&str; 17] = [
    "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs", "ntfs3", "overlay",
    "squashfs", "tmpfs", "vfat", "xfs", "zfs",
];

/// The mounts that share a canonical host path at a target, and what lies within it that must be covered.
///
/// Covered are sockets and FIFOs (they lead to processes outside) and mounts of file systems that lead elsewhere.
/// A repository's `.git/config`, `.git/commondir` and `.git/hooks` are read-only, since the host's git executes what
/// they say; `.git` itself is pinned, or it could be renamed and made anew.
pub(crate) fn mounts(
    source: &Path,
    target: &Path,
    access: Access,
    host: &[MountPoint],
) -> Result<Vec<Mount>, ScanError> {
    let mut mounts = vec![Mount::new(target, Kind::Share { source: source.to_owned(), access })];
    if !source.is_dir() {
        return Ok(mounts);
    }
    let inside = |path: &Path| target.join(path.strip_prefix(source).unwrap_or(path));
    let foreign = foreign_mounts(source, host);
    mounts.extend(foreign.iter().map(|path| Mount::new(inside(path), Kind::MaskDirectory)));
    scan::walk(source, &foreign, |found| {
        if found.is_door() {
            mounts.push(Mount::new(inside(&found.path), Kind::MaskFile));
        }
        Enter::Yes
    })?;
    if access == Access::ReadWrite {
        mounts.extend(repository(source).into_iter().map(|(path, kind)| Mount::new(inside(&path), kind)));
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

fn repository(source: &Path) -> Vec<(PathBuf, Kind)> {
    let git = source.join(".git");
    let Ok(metadata) = std::fs::symlink_metadata(&git) else {
        return Vec::new();
    };
    if metadata.is_file() {
        // A work tree of a repository elsewhere: the file says where.
        return vec![(git, Kind::Pin { access: Access::ReadOnly })];
    }
    if !metadata.is_dir() {
        return Vec::new();
    }
    let mut pins = vec![(git.clone(), Kind::Pin { access: Access::ReadWrite })];
    pins.extend(settings(&git).into_iter().map(|(path, text)| (path, Kind::PinFile { text })));
    let hooks = git.join("hooks");
    if std::fs::symlink_metadata(&hooks).map_or(true, |metadata| metadata.is_dir()) {
        pins.push((hooks, Kind::PinDirectory));
    }
    pins
}

/// The files that tell git what to execute, and for each a text that changes nothing: a missing one could be made by
/// the workload. `commondir` names the directory whose settings and hooks count; a dot is the repository itself.
fn settings(git: &Path) -> Vec<(PathBuf, String)> {
    let mut names = vec![("config", ""), ("commondir", ".\n")];
    let worktree = "config.worktree";
    if is_plain_file(&git.join(worktree)) || obeys_worktree_settings(&git.join("config")) {
        names.push((worktree, ""));
    }
    let paths = names.into_iter().map(|(name, text)| (git.join(name), text.to_owned()));
    paths.filter(|(path, _)| is_plain_file(path) || is_missing(path)).collect()
}

/// Whether git reads `config.worktree`. What can't be read as text is taken to say so.
fn obeys_worktree_settings(config: &Path) -> bool {
    match std::fs::read_to_string(config) {
        Ok(text) => text.to_ascii_lowercase().contains("worktreeconfig"),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

fn is_plain_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Whether git in this directory would read its settings through a symbolic link, which can't be pinned.
pub(crate) fn has_linked_repository(source: &Path) -> Option<PathBuf> {
    [".git", ".git/config", ".git/config.worktree", ".git/commondir", ".git/hooks"]
        .map(|name| source.join(name))
        .into_iter()
        .find(|path| std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn kinds(mounts: &[Mount]) -> Vec<(String, Kind)> {
        mounts[1..].iter().map(|mount| (mount.target.display().to_string(), mount.kind.clone())).collect()
    }

    #[test]
    fn a_repository_is_pinned_before_its_settings_are_closed() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join(".git")).unwrap();
        std::fs::write(tree.path().join(".git/config"), "").unwrap();
        let mounts = mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &[]).unwrap();
        let expected = [
            ("/w/.git".to_owned(), Kind::Pin { access: Access::ReadWrite }),
            ("/w/.git/config".to_owned(), Kind::PinFile { text: String::new() }),
            ("/w/.git/commondir".to_owned(), Kind::PinFile { text: ".\n".to_owned() }),
            ("/w/.git/hooks".to_owned(), Kind::PinDirectory),
        ];
        assert_eq!(kinds(&mounts), expected);
    }

    #[test]
    fn settings_of_a_work_tree_are_pinned_where_git_obeys_them() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join(".git")).unwrap();
        std::fs::write(tree.path().join(".git/config"), "[extensions]\n\tworktreeConfig = true\n").unwrap();
        let mounts = mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &[]).unwrap();
        let pin = Mount::new("/w/.git/config.worktree", Kind::PinFile { text: String::new() });
        assert!(mounts.contains(&pin), "{mounts:?}");
    }

    #[test]
    fn a_socket_within_the_repository_is_masked_after_the_pin() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join(".git")).unwrap();
        let _socket = UnixListener::bind(tree.path().join(".git/fsmonitor--daemon.ipc")).unwrap();
        let mounts = mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &[]).unwrap();
        assert_eq!(mounts.last().unwrap(), &Mount::new("/w/.git/fsmonitor--daemon.ipc", Kind::MaskFile));
        assert_eq!(mounts[1].target, Path::new("/w/.git"));
    }

    #[test]
    fn a_file_system_that_leads_elsewhere_is_masked_and_not_entered() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("far/away")).unwrap();
        let point = |path: &str, kind: &str| MountPoint {
            device: "0:9".into(),
            root: "/".into(),
            target: tree.path().join(path),
            kind: kind.into(),
        };
        let host = [point("far", "fuse.sshfs"), point("far/away", "nfs4"), point("near", "ext4")];
        let mounts = mounts(tree.path(), Path::new("/w"), Access::ReadWrite, &host).unwrap();
        assert_eq!(kinds(&mounts), [("/w/far".to_owned(), Kind::MaskDirectory)]);
    }

    #[test]
    fn a_repository_behind_a_link_is_noticed() {
        let tree = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("real", tree.path().join(".git")).unwrap();
        assert_eq!(has_linked_repository(tree.path()), Some(tree.path().join(".git")));
    }
}
