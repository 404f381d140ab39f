//! What does the workload see of the kernel? A /proc and a /sys that tell little and change nothing.

use std::io;
use std::path::Path;

use bottle_images::Access;
use rustix::mount::MountAttrFlags;

use super::failure::at;
use super::fixed::{Cover, PROC_MASKED_DIRECTORIES, PROC_MASKED_FILES, PROC_READ_ONLY, SYS_MASKED};
use super::message::Failure;
use super::place::Place;
use super::stage;

const CLOSED: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV).union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// A /proc of the calling process's pid namespace.
pub(super) fn proc(place: &Place<'_>, target: &Path) -> Result<(), Failure> {
    let failed = || at("mount /proc");
    let proc = stage::make("proc", &[], CLOSED).map_err(failed())?;
    place.mount(target, &proc, true).map_err(failed())?;
    for name in PROC_READ_ONLY {
        if_there(place.pin(&target.join(name), Access::ReadOnly)).map_err(failed())?;
    }
    mask(place, target, &PROC_MASKED_FILES, Cover::File).map_err(failed())?;
    mask(place, target, &PROC_MASKED_DIRECTORIES, Cover::Directory).map_err(failed())
}

/// A /sys of the network namespace that the calling process is in: the agent's.
pub(super) fn sysfs(place: &Place<'_>, target: &Path) -> Result<(), Failure> {
    let failed = || at("mount /sys");
    let sysfs = stage::make("sysfs", &[], CLOSED | MountAttrFlags::MOUNT_ATTR_RDONLY).map_err(failed())?;
    place.mount(target, &sysfs, true).map_err(failed())?;
    mask(place, target, &SYS_MASKED, Cover::Directory).map_err(failed())
}

fn mask(place: &Place<'_>, top: &Path, names: &[&str], by: Cover) -> io::Result<()> {
    names.iter().try_for_each(|name| place.cover(&top.join(name), by))
}

fn if_there(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
