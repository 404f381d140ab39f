//! Which devices does the workload have? Those that hold nothing, the host's nodes bound one by one.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use bottle_images::Owner;
use rustix::mount::MountAttrFlags;

use crate::sys;

use super::failure::{at, on};
use super::fixed::NODES;
use super::message::Failure;
use super::place::Place;
use super::stage;

const LINKS: [(&str, &str); 5] = [
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

const NO_PROGRAMS: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// Opens the host's nodes while its /dev can still be reached.
pub(super) fn open() -> Result<Vec<(&'static str, OwnedFd)>, Failure> {
    NODES.iter().map(|name| Ok((*name, node(name)?))).collect()
}

fn node(name: &str) -> Result<OwnedFd, Failure> {
    let source = Path::new("/dev").join(name);
    let tree = stage::host(&source).and_then(|device| stage::copy(device.as_fd())).map_err(on("bind", &source))?;
    sys::set_tree_attributes(tree.as_fd(), u64::from(NO_PROGRAMS.bits()), None).map_err(on("bind", &source))?;
    Ok(tree)
}

/// Puts a /dev in place.
pub(super) fn install(place: &Place<'_>, target: &Path, nodes: &[(&'static str, OwnedFd)]) -> Result<(), Failure> {
    let failed = || at("make /dev");
    let devices = stage::make("tmpfs", &[("mode", "0755"), ("size", "64k")], NO_PROGRAMS).map_err(failed())?;
    place.mount(target, &devices, true).map_err(failed())?;
    for (name, node) in nodes {
        place.mount(&target.join(name), node, false).map_err(failed())?;
    }
    for (name, to) in LINKS {
        place.symlink(&target.join(name), Path::new(to)).map_err(failed())?;
    }
    for name in ["pts", "shm"] {
        place.directory(&target.join(name), 0o755, Owner::Root).map_err(failed())?;
    }
    let terminals = [("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620")];
    let terminals = stage::make("devpts", &terminals, NO_PROGRAMS).map_err(failed())?;
    place.mount(&target.join("pts"), &terminals, true).map_err(failed())?;
    let quiet = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let memory = stage::make("tmpfs", &[("mode", "1777")], quiet).map_err(failed())?;
    place.mount(&target.join("shm"), &memory, true).map_err(failed())
}
