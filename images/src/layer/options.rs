//! How is a layer unpacked for this caller and this kind of overlay?

use std::os::fd::AsFd;

use rustix::fs::{FileType, Stat, XattrFlags};
use rustix::io::Errno;

use super::inside;

/// Whose the files become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// Those that the archive says: for root.
    AsIs,
    /// The caller's: nothing is given away.
    Mine,
}

/// Which extended attribute says that a directory hides what is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opaque {
    /// `trusted.overlay.opaque`: for overlays that root mounts.
    Trusted,
    /// `user.overlay.opaque`: for overlays mounted in a user namespace, with `userxattr`.
    User,
}

/// What becomes of device nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Devices {
    /// They are made, where the kernel permits it.
    Made,
    /// They are left out, with a note.
    LeftOut,
}

/// How layers are unpacked. Layers that were unpacked in different ways lie beside each other in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackOptions {
    /// Whose the files become.
    pub owners: Owners,
    /// How opaque directories are marked.
    pub opaque: Opaque,
    /// What becomes of device nodes.
    pub devices: Devices,
}

impl UnpackOptions {
    /// As root or as an ordinary user would mount them.
    pub fn for_uid(uid: u32) -> UnpackOptions {
        match uid {
            0 => UnpackOptions { owners: Owners::AsIs, opaque: Opaque::Trusted, devices: Devices::Made },
            _ => UnpackOptions { owners: Owners::Mine, opaque: Opaque::User, devices: Devices::LeftOut },
        }
    }

    /// The directory of the store that holds layers unpacked like this.
    pub(crate) fn flavour(self) -> String {
        let owners = if self.owners == Owners::AsIs { "as-is" } else { "mine" };
        let opaque = if self.opaque == Opaque::Trusted { "trusted" } else { "user" };
        let devices = if self.devices == Devices::Made { "devices" } else { "plain" };
        format!("{owners}-{opaque}-{devices}")
    }
}

impl Opaque {
    pub(super) fn name(self) -> &'static str {
        match self {
            Opaque::Trusted => "trusted.overlay.opaque",
            Opaque::User => "user.overlay.opaque",
        }
    }

    /// Marks a directory.
    pub(super) fn set(self, directory: impl AsFd) -> rustix::io::Result<()> {
        rustix::fs::fsetxattr(directory, self.name(), b"y", XattrFlags::empty())
    }

    /// Whether the directory at a clean path is marked.
    pub(super) fn is_set(self, root: impl AsFd, path: &[u8]) -> rustix::io::Result<bool> {
        let directory = inside::open_directory(root, path)?;
        let mut value = [0_u8; 1];
        match rustix::fs::fgetxattr(&directory, self.name(), &mut value) {
            Ok(_) => Ok(value == *b"y"),
            Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Overlayfs hides what is below a character device 0/0.
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}
