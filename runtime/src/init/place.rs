//! How does one thing get to its place in the new root? No step follows a link out of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bottle_images::{Access, Owner};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::mount::MountAttrFlags;

use crate::sys;

use super::fixed::{Cover, covered_by};
use super::identity::{Identities, Pair};
use super::stage;

const DIRECTORY: Mode = Mode::from_raw_mode(0o755);

/// The new root, while it is built.
pub(super) struct Place<'a> {
    root: OwnedFd,
    identities: &'a Identities,
}

impl<'a> Place<'a> {
    pub(super) fn new(root: OwnedFd, identities: &'a Identities) -> Place<'a> {
        Place { root, identities }
    }

    /// Makes the root itself read-only, and nothing that is mounted in it.
    pub(super) fn close(&self) -> io::Result<()> {
        sys::make_read_only(self.root.as_fd())
    }

    /// Makes a directory unless there is one already, which then keeps its mode and owner.
    pub(super) fn directory(&self, target: &Path, mode: u32, owner: Owner) -> io::Result<()> {
        let (parent, name) = self.parent(target)?;
        match rustix::fs::mkdirat(&parent, &name, DIRECTORY) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => return self.expect_directory(target),
            Err(error) => return Err(error.into()),
        }
        // The umask does not count here, nor may a following chown clear a bit: owner first, then mode.
        stage::give(self.at(target)?.as_fd(), self.identities.outside(owner))?;
        Ok(rustix::fs::chmodat(&parent, &name, Mode::from_raw_mode(mode), AtFlags::empty())?)
    }

    /// Makes a symbolic link unless something is there already.
    pub(super) fn symlink(&self, target: &Path, to: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(target)?;
        match rustix::fs::symlinkat(to, &parent, &name) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file in place of whatever file or link is there.
    pub(super) fn file(&self, target: &Path, text: &str) -> io::Result<()> {
        let (parent, name) = self.parent(target)?;
        match rustix::fs::unlinkat(&parent, &name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&parent, &name, flags, Mode::from_raw_mode(0o644))?);
        file.write_all(text.as_bytes())?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644))?;
        stage::give(file.as_fd(), self.identities.outside(Owner::Root))
    }

    /// Attaches a detached mount, at a new directory or file where nothing is there yet.
    pub(super) fn mount(&self, target: &Path, tree: &OwnedFd, is_directory: bool) -> io::Result<()> {
        let place = match self.at(target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.mountpoint(target, is_directory)?;
                self.at(target)?
            }
            other => other?,
        };
        stage::attach_onto(tree.as_fd(), place.as_fd())
    }

    fn mountpoint(&self, target: &Path, is_directory: bool) -> io::Result<()> {
        if is_directory {
            return self.directory(target, 0o755, Owner::Root);
        }
        let (parent, name) = self.parent(target)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&parent, &name, flags, Mode::from_raw_mode(0o644))?;
        Ok(())
    }

    /// Makes what is at the target a mount of its own. A link in the way means that somebody tampers: an error.
    pub(super) fn pin(&self, target: &Path, access: Access) -> io::Result<()> {
        let place = self.without_links(target)?;
        let pinned = stage::copy(place.as_fd())?;
        if access == Access::ReadOnly {
            let read_only = u64::from(MountAttrFlags::MOUNT_ATTR_RDONLY.bits());
            sys::set_tree_attributes(pinned.as_fd(), read_only, None)?;
        }
        stage::attach_onto(pinned.as_fd(), place.as_fd())
    }

    /// As `pin`, read-only; the directory is made where it is missing.
    pub(super) fn pin_directory(&self, target: &Path) -> io::Result<()> {
        self.pin_made(target, |parent, name| Ok(rustix::fs::mkdirat(parent, name, DIRECTORY)?))
    }

    /// As `pin`, read-only; the file is made where it is missing.
    pub(super) fn pin_file(&self, target: &Path, text: &str) -> io::Result<()> {
        self.pin_made(target, |parent, name| make_file(parent, name, text.as_bytes()))
    }

    /// What is missing is made as the workload's user would. Where that is not possible, since the place is read-only inside or
    /// belongs to somebody else, the workload can't make it either.
    fn pin_made(&self, target: &Path, make: impl FnOnce(&OwnedFd, &OsStr) -> io::Result<()>) -> io::Result<()> {
        if self.without_links(target).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            let parent = self.without_links(target.parent().unwrap_or(target))?;
            let name = target.file_name().unwrap_or_default();
            match self.as_user(|| make(&parent, name)) {
                Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !self.is_users(&parent)? => {
                    return Ok(());
                }
                made => made?,
            }
        }
        self.pin(target, Access::ReadOnly)
    }

    fn is_users(&self, place: &OwnedFd) -> io::Result<bool> {
        Ok(rustix::fs::fstat(place)?.st_uid == self.identities.outside(Owner::User).uid)
    }

    /// Covers what is at the target by something from the stage. What is gone needs no cover.
    pub(super) fn cover(&self, target: &Path, by: Cover) -> io::Result<()> {
        let place = match self.without_links(target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let cover = stage::copy(stage::resolve(CWD, Path::new(covered_by(by)), ResolveFlags::NO_SYMLINKS)?.as_fd())?;
        let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        sys::set_tree_attributes(cover.as_fd(), u64::from(read_only.bits()), None)?;
        stage::attach_onto(cover.as_fd(), place.as_fd())
    }

    /// What is at a path inside, links followed as the workload would.
    pub(super) fn at(&self, target: &Path) -> io::Result<OwnedFd> {
        stage::resolve(self.root.as_fd(), below(target), ResolveFlags::IN_ROOT)
    }

    fn without_links(&self, target: &Path) -> io::Result<OwnedFd> {
        stage::resolve(self.root.as_fd(), below(target), ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS)
    }

    /// The directory that holds the target, made with all above it where missing.
    fn parent(&self, target: &Path) -> io::Result<(OwnedFd, PathBuf)> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let above = target.parent().unwrap_or(Path::new("/"));
        let parent = match self.at(above) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.directory(above, 0o755, Owner::Root)?;
                self.at(above)?
            }
            other => other?,
        };
        Ok((parent, name.into()))
    }

    fn expect_directory(&self, target: &Path) -> io::Result<()> {
        let mode = rustix::fs::fstat(self.at(target)?)?.st_mode;
        if FileType::from_raw_mode(mode) == FileType::Directory {
            Ok(())
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    /// With the workload's file system ids: in a shared tree only they have a counterpart on disk.
    fn as_user<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Pair { uid, gid } = self.identities.outside(Owner::User);
        let before = (nix::unistd::setfsuid(uid.into()), nix::unistd::setfsgid(gid.into()));
        let result = act();
        nix::unistd::setfsgid(before.1);
        nix::unistd::setfsuid(before.0);
        result
    }
}

/// A settings file that is left half-written would be obeyed as it is: it has its name when it says all. Init has no /proc to
/// name a nameless file by, so whoever is killed meanwhile leaves one of a name that nobody obeys.
fn make_file(parent: &OwnedFd, name: &OsStr, text: &[u8]) -> io::Result<()> {
    let meanwhile = format!("{}.bottle-{:016x}", name.to_string_lossy(), drawn()?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(parent, &meanwhile, flags, Mode::from_raw_mode(0o644))?);
    let rename = |flags| rustix::fs::renameat_with(parent, &meanwhile, parent, name, flags);
    let named = file.write_all(text).and_then(|()| match rename(RenameFlags::NOREPLACE) {
        // NFS can't tell; the name was free a moment ago.
        Err(rustix::io::Errno::INVAL) => Ok(rename(RenameFlags::empty())?),
        named => Ok(named?),
    });
    named.inspect_err(|_| _ = rustix::fs::unlinkat(parent, &meanwhile, AtFlags::empty()))
}

fn drawn() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}

fn below(target: &Path) -> &Path {
    match target.strip_prefix("/") {
        Ok(relative) if relative != Path::new("") => relative,
        _ => Path::new("."),
    }
}
