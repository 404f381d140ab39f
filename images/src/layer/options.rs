//! How is a layer unpacked for this caller and this kind of overlay?

use std::os::fd::AsFd;

use rustix::fs::{FileType, Stat, XattrFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::inside;
use crate::id_map::{IdMap, OneMap};

/// Whose the files become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owners {
    /// Those that the archive says: for root.
    AsIs,
    /// The caller's: nothing is given away.
    Mine,
    /// Those that the archive says, by this map: for who has the capabilities for it in a user namespace that has these ids.
    Mapped(IdMap),
}

impl Owners {
    /// Whose on the disk a file becomes that is this pair's inside, where files are given away.
    pub(super) fn on_disk(self, inside: (u32, u32)) -> Option<(u32, u32)> {
        match self {
            Owners::AsIs => Some(inside),
            Owners::Mine => None,
            Owners::Mapped(map) => Some(map.given(inside)),
        }
    }

    /// Whose inside a file is that is this pair's on the disk.
    pub(super) fn inside(self, on_disk: (u32, u32)) -> (u32, u32) {
        if let Owners::Mapped(map) = self { map.inside(on_disk) } else { on_disk }
    }

    /// Whether a file is whose it becomes where nothing is said of it.
    pub(super) fn is_roots(self, stat: &Stat) -> bool {
        match self {
            Owners::Mine => stat.st_uid == rustix::process::geteuid().as_raw(),
            owners => owners.inside((stat.st_uid, stat.st_gid)) == (0, 0),
        }
    }

    /// How they are called where layers lie.
    fn name(self) -> String {
        match self {
            Owners::AsIs => "as-is".into(),
            Owners::Mine => "mine".into(),
            Owners::Mapped(IdMap { uids, gids }) => {
                let one = |map: OneMap| format!("{}.{}.{}", map.first, map.own, map.place);
                format!("mapped-{}-{}", one(uids), one(gids))
            }
        }
    }
}

/// Which extended attribute says that a directory hides what is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opaque {
    /// `trusted.overlay.opaque`: for overlays that root mounts.
    Trusted,
    /// `user.overlay.opaque`: for overlays mounted in a user namespace, with `userxattr`.
    User,
}

/// What becomes of device nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Devices {
    /// They are made, where the kernel permits it.
    Made,
    /// They are left out, with a note.
    LeftOut,
}

/// How layers are unpacked. Layers that were unpacked in different ways lie beside each other in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

    /// As an ordinary user would mount them who has these ids.
    pub fn mapped(map: IdMap) -> UnpackOptions {
        UnpackOptions { owners: Owners::Mapped(map), opaque: Opaque::User, devices: Devices::LeftOut }
    }

    /// The directory of the store that holds layers unpacked like this.
    pub(crate) fn flavour(self) -> String {
        let owners = self.owners.name();
        let opaque = if self.opaque == Opaque::Trusted { "trusted" } else { "user" };
        let devices = if self.devices == Devices::Made { "devices" } else { "plain" };
        format!("{owners}-{opaque}-{devices}")
    }
}

/// Whether the directory of layers that is called so has the ids of another range than this map's.
pub(crate) fn is_of_another_range(flavour: &str, map: IdMap) -> bool {
    let Some(mut maps) = flavour.strip_prefix("mapped-").map(|maps| maps.split('-')) else { return false };
    let mut next_is =
        |map: OneMap| maps.next().is_some_and(|name| name.starts_with(&format!("{}.{}.", map.first, map.own)));
    !(next_is(map.uids) && next_is(map.gids))
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
    pub(crate) fn is_set(self, root: impl AsFd, path: &[u8]) -> rustix::io::Result<bool> {
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
