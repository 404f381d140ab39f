//! Where is the new root put together? On a tmpfs of pid 1's own, which is gone together with the host's root.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use super::fixed::{Cover, covered_by};
use super::identity::Pair;

/// Any directory that every host has will do; it is covered only until the new root takes over.
const PLACE: &str = "/proc";

/// Makes the stage; its directories are named relative to the working directory from now on.
///
/// `root` is where the new root comes, `lower` and `layers` are for overlays, `nothing` and `void` cover things.
pub(super) fn set() -> io::Result<()> {
    let stage =
        make("tmpfs", &[("mode", "0755")], MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID)?;
    attach(stage.as_fd(), CWD, Path::new(PLACE))?;
    rustix::process::chdir(PLACE)?;
    for directory in ["root", "lower", "layers", covered_by(Cover::Directory)] {
        rustix::fs::mkdir(directory, Mode::from_raw_mode(0o755))?;
    }
    File::create(covered_by(Cover::File))?;
    rustix::fs::chmod(covered_by(Cover::File), Mode::empty())?;
    Ok(())
}

/// Swaps the root for the one on the stage and lets go of the host's.
pub(super) fn take() -> io::Result<()> {
    rustix::process::chdir("root")?;
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", rustix::mount::UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}

/// A new instance of a file system, attached nowhere yet. An empty value makes the option a flag.
pub(super) fn make(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        if value.is_empty() {
            fsconfig_set_flag(&context, *name)?;
        } else {
            fsconfig_set_string(&context, *name, *value)?;
        }
    }
    fsconfig_create(&context)?;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// What a host path names, opened. The path is canonical: a symbolic link in it is an attack.
pub(super) fn host(path: &Path) -> io::Result<OwnedFd> {
    resolve(CWD, path, ResolveFlags::NO_SYMLINKS)
}

/// A copy of the mounts at what a descriptor names, attached nowhere.
pub(super) fn copy(place: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    clone_mounts(place, OpenTreeFlags::AT_RECURSIVE)
}

/// The same without what is mounted below it.
pub(super) fn copy_alone(place: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    clone_mounts(place, OpenTreeFlags::empty())
}

fn clone_mounts(place: BorrowedFd<'_>, how: OpenTreeFlags) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    Ok(open_tree(place, "", flags | how)?)
}

/// Opens a path as a mere name (O_PATH).
pub(super) fn resolve(from: BorrowedFd<'_>, path: &Path, how: ResolveFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(rustix::fs::openat2(from, path, flags, Mode::empty(), how | ResolveFlags::NO_MAGICLINKS)?)
}

/// Attaches a detached mount at a path.
pub(super) fn attach(tree: BorrowedFd<'_>, from: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    Ok(move_mount(tree, "", from, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Attaches a detached mount onto what a descriptor names.
pub(super) fn attach_onto(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(tree, "", place, "", flags)?)
}

/// Gives what a descriptor names to this pair.
pub(super) fn give(place: BorrowedFd<'_>, owner: Pair) -> io::Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(owner.uid), rustix::fs::Gid::from_raw(owner.gid));
    Ok(rustix::fs::chownat(place, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?)
}
