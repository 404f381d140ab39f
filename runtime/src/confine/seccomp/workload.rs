//! Which system calls may the workload make? What ordinary programs need; the conditions are where data could get out.
//!
//! Absent on purpose, so EPERM: io_uring (its own socket operations), bpf, perf, userfaultfd, keys and request_key,
//! open_by_handle_at, mount and namespace calls, modules, kexec, reboot, swap, quota, clock setting, fanotify, i386 and x32.

use super::{Allow, Argument, Filters, SeccompError, filters};

/// Compiles the workload's table.
pub fn workload() -> Result<Filters, SeccompError> {
    let mut allowed: Vec<Allow> =
        [FILES, DESCRIPTORS, MEMORY, PROCESSES, SIGNALS, TIME, WAITING, SOCKETS, IPC, IDENTITY, #[cfg(target_arch = "x86_64")] OLD]
            .concat()
            .into_iter()
            .map(Allow::Always)
            .collect();
    allowed.extend(conditional());
    filters(allowed, &absent())
}

/// Calls that a libc or a runtime falls back from when the kernel seems not to know them: clone3 and openat2 hide
/// their flags behind a pointer, where no filter can look; the numbers above those known here are the future's.
fn absent() -> Vec<i64> {
    let hidden = [libc::SYS_clone3, libc::SYS_openat2];
    hidden.into_iter().chain(libc::SYS_mseal + 1..libc::SYS_mseal + 64).collect()
}

const SET_ID: u64 = (libc::S_ISUID | libc::S_ISGID) as u64;
// O_TMPFILE carries O_DIRECTORY's bit too, which alone creates nothing.
const CREATES: u64 = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u64;
const NEW_NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;
/// The bits of a socket's type that say what it is; the others are SOCK_CLOEXEC and SOCK_NONBLOCK.
const TYPE: u64 = 0xff;

fn conditional() -> Vec<Allow> {
    let mut calls = vec![
        Allow::When(libc::SYS_socket, sockets()),
        Allow::When(libc::SYS_socketpair, vec![vec![Argument::Is(0, libc::AF_UNIX as u64)]]),
        // A process of this namespace only; threads and forks, never with namespaces of their own.
        Allow::When(libc::SYS_clone, vec![vec![Argument::Without(0, NEW_NAMESPACES)]]),
        // Typing into a terminal that is not ours, and pasting into a console.
        Allow::When(
            libc::SYS_ioctl,
            vec![vec![Argument::Not(1, libc::TIOCSTI), Argument::Not(1, libc::TIOCLINUX)]],
        ),
        Allow::When(libc::SYS_personality, [0, 0x0002_0000, 0x0004_0000, 0xffff_ffff].map(|is| vec![Argument::Is(0, is)]).into()),
        // Set-id files would stay behind in shared directories, with the sharer's own id as their owner.
        Allow::When(libc::SYS_fchmod, vec![vec![Argument::Without(1, SET_ID)]]),
        Allow::When(libc::SYS_fchmodat, vec![vec![Argument::Without(2, SET_ID)]]),
        Allow::When(libc::SYS_fchmodat2, vec![vec![Argument::Without(2, SET_ID)]]),
        Allow::When(libc::SYS_mkdirat, vec![vec![Argument::Without(2, SET_ID)]]),
        Allow::When(libc::SYS_mknodat, vec![vec![Argument::Without(2, SET_ID)]]),
        // The mode is looked at only where something is created: else its register holds whatever it held.
        Allow::When(libc::SYS_openat, vec![vec![Argument::Without(2, CREATES)], vec![Argument::Without(3, SET_ID)]]),
    ];
    #[cfg(target_arch = "x86_64")]
    calls.extend([
        Allow::When(libc::SYS_chmod, vec![vec![Argument::Without(1, SET_ID)]]),
        Allow::When(libc::SYS_creat, vec![vec![Argument::Without(1, SET_ID)]]),
        Allow::When(libc::SYS_mkdir, vec![vec![Argument::Without(1, SET_ID)]]),
        Allow::When(libc::SYS_mknod, vec![vec![Argument::Without(1, SET_ID)]]),
        Allow::When(libc::SYS_open, vec![vec![Argument::Without(1, CREATES)], vec![Argument::Without(2, SET_ID)]]),
    ]);
    calls
}

/// UNIX, INET and INET6 as streams and datagrams of their usual protocols; NETLINK_ROUTE, which lists interfaces.
fn sockets() -> Vec<Vec<Argument>> {
    let family = |family: i32| Argument::Is(0, family as u64);
    let kind = |kind: i32| Argument::Masked(1, TYPE, kind as u64);
    let protocol = |protocol: i32| Argument::Is(2, protocol as u64);
    let mut alternatives = vec![
        vec![family(libc::AF_UNIX), kind(libc::SOCK_STREAM)],
        vec![family(libc::AF_UNIX), kind(libc::SOCK_DGRAM)],
        vec![family(libc::AF_NETLINK), protocol(libc::NETLINK_ROUTE)],
    ];
    for internet in [libc::AF_INET, libc::AF_INET6] {
        for (socket, usual) in [(libc::SOCK_STREAM, libc::IPPROTO_TCP), (libc::SOCK_DGRAM, libc::IPPROTO_UDP)] {
            alternatives.push(vec![family(internet), kind(socket), protocol(0)]);
            alternatives.push(vec![family(internet), kind(socket), protocol(usual)]);
        }
    }
    alternatives
}

const FILES: &[i64] = &[
    libc::SYS_chdir,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fallocate,
    libc::SYS_fchdir,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fgetxattr,
    libc::SYS_flistxattr,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_fstatfs,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getxattr,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_lgetxattr,
    libc::SYS_linkat,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_newfstatat,
    libc::SYS_readlinkat,
    libc::SYS_removexattr,
    libc::SYS_renameat2,
    libc::SYS_setxattr,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_sync,
    libc::SYS_syncfs,
    libc::SYS_truncate,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    // Refused by the kernel without capabilities; programs expect its own errno.
    libc::SYS_chroot,
    // Refines confinement, never widens it.
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_restrict_self,
];

const DESCRIPTORS: &[i64] = &[
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fadvise64,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_io_cancel,
    libc::SYS_io_destroy,
    libc::SYS_io_getevents,
    libc::SYS_io_setup,
    libc::SYS_io_submit,
    libc::SYS_lseek,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readahead,
    libc::SYS_readv,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_sync_file_range,
    libc::SYS_tee,
    libc::SYS_vmsplice,
    libc::SYS_write,
    libc::SYS_writev,
];

const MEMORY: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_get_mempolicy,
    libc::SYS_madvise,
    libc::SYS_mbind,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mincore,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_mlockall,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_munlock,
    libc::SYS_munlockall,
    libc::SYS_munmap,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect,
    libc::SYS_remap_file_pages,
    libc::SYS_set_mempolicy,
];

const PROCESSES: &[i64] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getcpu,
    libc::SYS_getpriority,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_get_robust_list,
    libc::SYS_ioprio_get,
    libc::SYS_ioprio_set,
    libc::SYS_kcmp,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    // Debuggers work on processes of the bottle; init is not dumpable and no other is in sight.
    libc::SYS_ptrace,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_rr_get_interval,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_yield,
    libc::SYS_seccomp,
    libc::SYS_setpriority,
    libc::SYS_setrlimit,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_times,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_wait4,
    libc::SYS_waitid,
];

const SIGNALS: &[i64] = &[
    libc::SYS_kill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sigaltstack,
    libc::SYS_signalfd4,
    libc::SYS_tgkill,
    libc::SYS_tkill,
];

const TIME: &[i64] = &[
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getitimer,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_setitimer,
    libc::SYS_timer_create,
    libc::SYS_timer_delete,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_gettime,
    libc::SYS_timer_settime,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
];

const WAITING: &[i64] = &[
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
];

const SOCKETS: &[i64] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];

/// System V and POSIX IPC of the bottle's own namespace.
const IPC: &[i64] = &[
    libc::SYS_mq_getsetattr,
    libc::SYS_mq_notify,
    libc::SYS_mq_open,
    libc::SYS_mq_timedreceive,
    libc::SYS_mq_timedsend,
    libc::SYS_mq_unlink,
    libc::SYS_msgctl,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmdt,
    libc::SYS_shmget,
];

const IDENTITY: &[i64] = &[
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getsid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_setfsgid,
    libc::SYS_setfsuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_setpgid,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
    libc::SYS_setsid,
    libc::SYS_setuid,
];

/// Calls that only this architecture still has.
#[cfg(target_arch = "x86_64")]
const OLD: &[i64] = &[
    libc::SYS_access,
    libc::SYS_alarm,
    libc::SYS_arch_prctl,
    libc::SYS_chown,
    libc::SYS_dup2,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_fork,
    libc::SYS_futimesat,
    libc::SYS_getdents,
    libc::SYS_getpgrp,
    libc::SYS_inotify_init,
    libc::SYS_lchown,
    libc::SYS_link,
    libc::SYS_lstat,
    libc::SYS_pause,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_signalfd,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_time,
    libc::SYS_unlink,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_vfork,
];
