//! What does the workload see of the kernel? A /proc and a /sys that tell little and change nothing.

use std::io;
use std::path::Path;

use bottle_images::Access;
use rustix::mount::MountAttrFlags;

use super::failure::at;
use super::message::Failure;
use super::place::Place;
use super::stage;

/// What tells about the whole machine, or holds memory and keys.
const PROC_MASKED_FILES: [&str; 9] =
    ["kcore", "keys", "key-users", "latency_stats", "timer_list", "timer_stats", "sched_debug", "kmsg", "interrupts"];
const PROC_MASKED_DIRECTORIES: [&str; 3] = ["acpi", "asound", "scsi"];
/// What has switches of the whole machine in it.
const PROC_READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
/// Firmware, debuggers' and security modules' doors, power readings that leak what others compute.
const SYS_MASKED: [&str; 7] = [
    "firmware",
    "kernel/debug",
    "kernel/security",
    "kernel/tracing",
    "devices/virtual/powercap",
    "fs/bpf",
    "fs/fuse/connections",
];

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
    mask(place, target, &PROC_MASKED_FILES, "nothing").map_err(failed())?;
    mask(place, target, &PROC_MASKED_DIRECTORIES, "void").map_err(failed())
}

/// A /sys of the agent's network namespace.
pub(super) fn sysfs(place: &Place<'_>, target: &Path) -> Result<(), Failure> {
    let failed = || at("mount /sys");
    let sysfs = stage::make("sysfs", &[], CLOSED | MountAttrFlags::MOUNT_ATTR_RDONLY).map_err(failed())?;
    place.mount(target, &sysfs, true).map_err(failed())?;
    mask(place, target, &SYS_MASKED, "void").map_err(failed())
}

fn mask(place: &Place<'_>, top: &Path, names: &[&str], by: &str) -> io::Result<()> {
    names.iter().try_for_each(|name| place.cover(&top.join(name), by))
}

fn if_there(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
