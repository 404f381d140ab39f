//! What is the same in the root of every bottle? Who builds it and who measures it afterwards read one list.

/// What tells about the whole machine, or holds memory and keys.
#[rustfmt::skip]
pub(crate) const PROC_MASKED_FILES: [&str; 9] = [
    "kcore", "keys", "key-users", "latency_stats", "timer_list", "timer_stats", "sched_debug", "kmsg", "interrupts",
];
/// The same as directories.
pub(crate) const PROC_MASKED_DIRECTORIES: [&str; 3] = ["acpi", "asound", "scsi"];
/// What has switches of the whole machine in it.
pub(crate) const PROC_READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
/// Firmware, debuggers' and security modules' doors, the host's disks, power readings that leak what others compute.
pub(crate) const SYS_MASKED: [&str; 9] = [
    "firmware",
    "kernel/debug",
    "kernel/security",
    "kernel/tracing",
    "dev/block",
    "devices/virtual/powercap",
    "fs/bpf",
    "fs/fuse/connections",
    "fs/selinux",
];

/// The devices that hold nothing, by their names in /dev.
pub(crate) const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// What lies over something that must not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// An empty file that nobody may read.
    File,
    /// An empty directory.
    Directory,
}

/// Its name on the stage.
pub(crate) fn covered_by(cover: Cover) -> &'static str {
    match cover {
        Cover::File => "nothing",
        Cover::Directory => "void",
    }
}
