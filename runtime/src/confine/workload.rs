//! Which system calls may the workload make? The one table.
//!
//! What is not here is unknown to it (ENOSYS), so that libraries fall back: clone3 to clone, openat2 to openat. What
//! is refused on purpose gets EPERM. ptrace and its kin stay: from kernel 4.8 on they don't lead around the filter,
//! and reach only the workload's own processes.

use libc::*;

use super::filter::When::{Bits, Given, Has, Is, IsNot};
use super::filter::{Case, Filter};

/// A call by its name in the libraries, which is that of the kernel with a prefix.
pub(super) type Call = (&'static str, i64);

macro_rules! calls {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}

/// The workload's table.
pub(super) fn filter() -> Filter {
    let refused = REFUSED.iter().map(|(_, call)| (*call, Vec::new()));
    Filter {
        allowed: allowed().map(|(_, call)| call).collect(),
        refused: refused
            .chain(sockets())
            .chain(namespaces())
            .chain(terminals())
            .chain(modes())
            .chain(personalities())
            .chain(limits())
            .chain(files())
            .collect(),
        pretended: dumps(),
        unknown: ENOSYS,
    }
}

/// What is allowed, some of it by its arguments only.
pub(super) fn allowed() -> impl Iterator<Item = Call> {
    ALLOWED.iter().chain(OLD).copied()
}

/// What every kind of program is expected to need, by what it is about.
#[rustfmt::skip]
const ALLOWED: &[Call] = calls![
    // Files and directories.
    SYS_openat, SYS_close, SYS_close_range, SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64,
    SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_fstat, SYS_statx, SYS_statfs, SYS_fstatfs,
    SYS_faccessat, SYS_faccessat2, SYS_readlinkat, SYS_getdents64, SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_mkdirat,
    SYS_mknodat, SYS_unlinkat, SYS_renameat2, SYS_linkat, SYS_symlinkat, SYS_truncate, SYS_ftruncate, SYS_fallocate,
    SYS_fadvise64, SYS_readahead, SYS_sync, SYS_fsync, SYS_fdatasync, SYS_syncfs, SYS_sync_file_range, SYS_utimensat,
    SYS_fchmod, SYS_fchmodat, SYS_fchmodat2, SYS_fchown, SYS_fchownat, SYS_umask, SYS_flock, SYS_fcntl, SYS_dup,
    SYS_dup3, SYS_copy_file_range, SYS_sendfile, SYS_splice, SYS_tee, SYS_vmsplice, SYS_pipe2, SYS_ioctl,
    SYS_memfd_create, SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_setxattr, SYS_lsetxattr,
    SYS_fsetxattr, SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr, SYS_listxattr, SYS_llistxattr, SYS_flistxattr,
    SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
    // Waiting.
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_ppoll, SYS_pselect6, SYS_eventfd2,
    SYS_signalfd4, SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_io_setup, SYS_io_destroy,
    SYS_io_submit, SYS_io_cancel, SYS_io_getevents,
    // Sockets; which ones, see below.
    SYS_socket, SYS_socketpair, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect, SYS_getsockname,
    SYS_getpeername, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg, SYS_setsockopt,
    SYS_getsockopt, SYS_shutdown,
    // Memory.
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_msync, SYS_mincore, SYS_mlock,
    SYS_mlock2, SYS_munlock, SYS_mlockall, SYS_munlockall, SYS_membarrier, SYS_pkey_alloc, SYS_pkey_free,
    SYS_pkey_mprotect, SYS_remap_file_pages, SYS_get_mempolicy, SYS_set_mempolicy, SYS_mbind, SYS_process_madvise,
    SYS_mseal, SYS_shmget, SYS_shmat, SYS_shmctl, SYS_shmdt,
    // Processes, threads and signals.
    SYS_clone, SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid, SYS_kill, SYS_tkill,
    SYS_tgkill, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending, SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_sigaltstack, SYS_restart_syscall, SYS_futex,
    SYS_futex_waitv, SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_rseq, SYS_gettid, SYS_getpid,
    SYS_getppid, SYS_getpgid, SYS_setpgid, SYS_getsid, SYS_setsid, SYS_prctl, SYS_prlimit64, SYS_getrlimit,
    SYS_setrlimit, SYS_getrusage, SYS_getpriority, SYS_setpriority, SYS_ioprio_get, SYS_ioprio_set, SYS_sched_yield,
    SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getparam, SYS_sched_setparam, SYS_sched_getscheduler,
    SYS_sched_setscheduler, SYS_sched_getattr, SYS_sched_setattr, SYS_sched_get_priority_max,
    SYS_sched_get_priority_min, SYS_sched_rr_get_interval, SYS_getcpu, SYS_personality, SYS_pidfd_open,
    SYS_pidfd_send_signal, SYS_pidfd_getfd, SYS_process_mrelease, SYS_ptrace, SYS_process_vm_readv,
    SYS_process_vm_writev, SYS_kcmp, SYS_seccomp, SYS_landlock_create_ruleset, SYS_landlock_add_rule,
    SYS_landlock_restrict_self,
    // Who one is.
    SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_setuid,
    SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups,
    SYS_capget, SYS_capset,
    // Time and the machine.
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_times,
    SYS_getitimer, SYS_setitimer, SYS_timer_create, SYS_timer_settime, SYS_timer_gettime, SYS_timer_getoverrun,
    SYS_timer_delete, SYS_uname, SYS_sysinfo, SYS_getrandom,
    // System V and POSIX messages, in an ipc namespace of its own.
    SYS_semget, SYS_semop, SYS_semtimedop, SYS_semctl, SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_mq_open,
    SYS_mq_unlink, SYS_mq_timedsend, SYS_mq_timedreceive, SYS_mq_notify, SYS_mq_getsetattr,
];

/// The same under the names that only older architectures have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLD: &[Call] = calls![
    SYS_open, SYS_creat, SYS_stat, SYS_lstat, SYS_newfstatat, SYS_access, SYS_readlink, SYS_getdents, SYS_mkdir, SYS_rmdir,
    SYS_mknod, SYS_unlink, SYS_rename, SYS_renameat, SYS_link, SYS_symlink, SYS_chmod, SYS_chown, SYS_lchown, SYS_utime,
    SYS_utimes, SYS_futimesat, SYS_dup2, SYS_pipe, SYS_inotify_init, SYS_epoll_create, SYS_epoll_wait, SYS_poll,
    SYS_select, SYS_eventfd, SYS_signalfd, SYS_fork, SYS_vfork, SYS_getpgrp, SYS_alarm, SYS_pause, SYS_time,
    SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
#[rustfmt::skip]
const OLD: &[Call] = calls![SYS_newfstatat, SYS_renameat];

/// Known, and refused whatever the arguments are.
#[rustfmt::skip]
pub(super) const REFUSED: &[Call] = calls![
    // Other ways to a kernel's work that no filter sees, and large surfaces.
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
    // Keys belong to no namespace.
    SYS_add_key, SYS_request_key, SYS_keyctl,
    // Files without their path.
    SYS_open_by_handle_at, SYS_name_to_handle_at,
    // Namespaces, roots and mounts.
    SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root, SYS_mount, SYS_umount2, SYS_fsopen, SYS_fsconfig, SYS_fsmount,
    SYS_fspick, SYS_open_tree, SYS_move_mount, SYS_mount_setattr, SYS_fanotify_init, SYS_fanotify_mark,
    // The machine as a whole.
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff,
    SYS_quotactl, SYS_quotactl_fd, SYS_acct, SYS_syslog, SYS_sethostname, SYS_setdomainname, SYS_settimeofday,
    SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_vhangup, SYS_move_pages, SYS_migrate_pages,
    SYS_memfd_secret,
];

/// Families UNIX, INET, INET6 and NETLINK_ROUTE; streams and datagrams, TCP and UDP.
fn sockets() -> Vec<(i64, Vec<Case>)> {
    const TYPES: u64 = 0xf;
    let internet = [IsNot(0, AF_UNIX as u32), IsNot(0, AF_NETLINK as u32)];
    let mut cases: Vec<Case> = vec![
        [&internet[..], &[IsNot(0, AF_INET as u32), IsNot(0, AF_INET6 as u32)]].concat(),
        vec![Is(0, AF_NETLINK as u32), IsNot(2, NETLINK_ROUTE as u32)],
        [&internet[..], &[IsNot(2, 0), IsNot(2, IPPROTO_TCP as u32), IsNot(2, IPPROTO_UDP as u32)]].concat(),
        // Netlink is spoken over raw sockets, and local programs speak in whole messages over unix ones.
        vec![IsNot(0, AF_NETLINK as u32), Bits(1, TYPES, SOCK_RAW as u64)],
        vec![IsNot(0, AF_UNIX as u32), Bits(1, TYPES, SOCK_SEQPACKET as u64)],
    ];
    let known = [SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET].map(|known| known as u64);
    cases.extend((0..=TYPES).filter(|kind| !known.contains(kind)).map(|kind| vec![Bits(1, TYPES, kind)]));
    vec![(SYS_socket, cases), (SYS_socketpair, vec![vec![IsNot(0, AF_UNIX as u32)]])]
}

/// No new namespaces. clone3 hides its flags in memory, so it is unknown.
fn namespaces() -> Vec<(i64, Vec<Case>)> {
    let flags = [CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET];
    vec![(SYS_clone, flags.iter().map(|flag| vec![Has(0, u64::from(*flag as u32))]).collect())]
}

/// Nothing that types into a terminal, or changes what a terminal is. The kernel reads 32 bits of the command.
fn terminals() -> Vec<(i64, Vec<Case>)> {
    const TIOCLINUX: u32 = 0x541c;
    let commands = [TIOCSTI as u32, TIOCLINUX, TIOCCONS as u32, TIOCSETD];
    vec![(SYS_ioctl, commands.iter().map(|command| vec![Is(1, *command)]).collect())]
}

/// Sets a line discipline; each is a kernel module of its own.
const TIOCSETD: u32 = 0x5423;

/// No file becomes set-user-id or set-group-id: in a shared directory it would be so for the host. The mode of an
/// open counts only where a file is made; otherwise it is whatever was in the register.
fn modes() -> Vec<(i64, Vec<Case>)> {
    let bits = [u64::from(S_ISUID), u64::from(S_ISGID)];
    let with = |index: u8| bits.map(|bit| vec![Has(index, bit)]).to_vec();
    let making = |flags: u8, mode: u8| {
        let makes = [O_CREAT as u64, O_TMPFILE as u64 & !(O_DIRECTORY as u64)];
        makes.iter().flat_map(|make| bits.map(|bit| vec![Has(flags, *make), Has(mode, bit)])).collect::<Vec<Case>>()
    };
    let mut refused = vec![
        (SYS_fchmod, with(1)),
        (SYS_fchmodat, with(2)),
        (SYS_fchmodat2, with(2)),
        (SYS_mknodat, with(2)),
        (SYS_openat, making(2, 3)),
    ];
    #[cfg(target_arch = "x86_64")]
    refused.extend([(SYS_chmod, with(1)), (SYS_creat, with(1)), (SYS_mknod, with(1)), (SYS_open, making(1, 2))]);
    refused
}

/// Only what changes nothing, 32-bit names, no randomised addresses (debuggers), and asking.
fn personalities() -> Vec<(i64, Vec<Case>)> {
    let known = [0, 0x0008, 0x0002_0000, 0x0002_0008, ADDR_NO_RANDOMIZE as u32, 0xffff_ffff];
    vec![(SYS_personality, vec![known.iter().map(|value| IsNot(0, *value)).collect()])]
}

/// No limits for pid 1, which has the workload's ids: without descriptors or time it could not do its work.
fn limits() -> Vec<(i64, Vec<Case>)> {
    vec![(SYS_prlimit64, vec![vec![Is(0, 1)]])]
}

/// No leases and no notices: whoever opens a file of the host's would wait for the one who holds its lease.
fn files() -> Vec<(i64, Vec<Case>)> {
    vec![(SYS_fcntl, [F_SETLEASE, F_NOTIFY].map(|command| vec![Is(1, command as u32)]).to_vec())]
}

/// No other limit for core dumps than one byte: for zero, a helper of the host's at the other end of a pipe would be
/// started. Programs with secrets set zero and end where they can't.
fn dumps() -> Vec<(i64, Vec<Case>)> {
    // The C libraries disagree on its type.
    const CORE: u32 = 4;
    vec![(SYS_setrlimit, vec![vec![Is(0, CORE)]]), (SYS_prlimit64, vec![vec![Is(1, CORE), Given(2)]])]
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn the_document_counts_the_calls_as_they_are() {
        let counts = format!("{} names, {} EPERM", ALLOWED.len() + OLD.len(), REFUSED.len());
        assert!(include_str!("../../../docs/confinement.md").contains(&counts), "{counts}");
    }
}
