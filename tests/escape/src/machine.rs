//! Which of a machine's files would give power over it, if a sandbox wrote them? One list for the attempts and for whoever looks
//! afterwards; what a machine lacks is left out.

use std::path::Path;

/// Takes the program that the kernel gives the memory of crashed processes to.
pub(crate) const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";
/// Each names a program that the kernel starts as root of the machine.
pub(crate) const PROGRAMS: &[&str] = &[
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/poweroff_cmd",
    "/proc/sys/kernel/hotplug",
    "/sys/kernel/uevent_helper",
];
/// What the machine is called.
pub(crate) const NAMES: &[&str] = &["/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"];
/// Takes keys of the kernel's console.
pub(crate) const SYSRQ: &str = "/proc/sysrq-trigger";
/// The kernel's own log.
pub(crate) const LOG: &str = "/dev/kmsg";
/// Who there is, and who may do what.
pub(crate) const ACCOUNTS: &[&str] = &["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/ld.so.conf"];
/// What lies there is run sooner or later.
pub(crate) const RUN: &[&str] = &["/etc/cron.d", "/etc/profile.d", "/etc/systemd/system", "/etc/init.d"];
/// Programs for foreign formats are registered there.
pub(crate) const FORMATS: &str = "/proc/sys/fs/binfmt_misc";
/// Control groups.
pub(crate) const GROUPS: &str = "/sys/fs/cgroup";

/// All files, those that exist.
pub(crate) fn files() -> impl Iterator<Item = &'static Path> {
    let lists = [&[CORE_PATTERN][..], PROGRAMS, NAMES, &[LOG, SYSRQ], ACCOUNTS];
    lists.into_iter().flatten().map(Path::new).filter(|path| path.exists())
}

/// All directories, those that exist.
pub(crate) fn directories() -> impl Iterator<Item = &'static Path> {
    RUN.iter().chain([&FORMATS, &GROUPS]).map(|path| Path::new(*path)).filter(|path| path.is_dir())
}
