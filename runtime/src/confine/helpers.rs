//! Which system calls may bottle's own helpers make? A few each; all else is refused.

use std::os::fd::RawFd;

use libc::*;

use super::Ports;
use super::filter::When::{Has, Is, IsNot};
use super::filter::{Case, Filter};

/// What any Rust program needs to go on: memory, signals, time, its end.
#[rustfmt::skip]
const BASE: &[i64] = &[
    SYS_read, SYS_write, SYS_close, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_futex,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall, SYS_clock_gettime,
    SYS_clock_nanosleep, SYS_gettimeofday, SYS_getrandom, SYS_getpid, SYS_gettid, SYS_sched_yield, SYS_exit,
    SYS_exit_group, SYS_ppoll, SYS_sendmsg, SYS_recvmsg, SYS_fstat, SYS_rseq,
];
#[cfg(target_arch = "x86_64")]
const BASE_OLD: &[i64] = &[SYS_poll, SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const BASE_OLD: &[i64] = &[];

/// What a tokio runtime of one thread needs to serve sockets.
#[rustfmt::skip]
const ASYNC: &[i64] = &[
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd2, SYS_readv, SYS_writev,
    SYS_sendto, SYS_recvfrom, SYS_sendmmsg, SYS_recvmmsg, SYS_getsockopt, SYS_setsockopt, SYS_getsockname,
    SYS_getpeername, SYS_shutdown, SYS_fcntl, SYS_dup, SYS_ioctl, SYS_sched_getaffinity, SYS_prctl,
    SYS_timerfd_create, SYS_timerfd_settime,
];
#[cfg(target_arch = "x86_64")]
const ASYNC_OLD: &[i64] = &[SYS_epoll_wait];
#[cfg(not(target_arch = "x86_64"))]
const ASYNC_OLD: &[i64] = &[];

/// What making, reading and removing files takes, and whose they are.
#[rustfmt::skip]
const FILES: &[i64] = &[
    SYS_openat, SYS_openat2, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_lseek, SYS_statx, SYS_newfstatat,
    SYS_getdents64, SYS_readlinkat, SYS_faccessat, SYS_mkdirat, SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_unlinkat,
    SYS_renameat, SYS_renameat2, SYS_ftruncate, SYS_copy_file_range, SYS_sendfile, SYS_fadvise64, SYS_fchmod,
    SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_setxattr, SYS_fsetxattr, SYS_getxattr, SYS_fgetxattr,
    SYS_listxattr, SYS_flock, SYS_fcntl, SYS_fsync, SYS_fdatasync, SYS_syncfs, SYS_memfd_create, SYS_getuid,
    SYS_geteuid, SYS_getgid, SYS_getegid,
];
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const FILES_OLD: &[i64] = &[
    SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_mkdir, SYS_rmdir, SYS_unlink, SYS_rename, SYS_link,
    SYS_symlink, SYS_chmod,
];
#[cfg(not(target_arch = "x86_64"))]
const FILES_OLD: &[i64] = &[];

/// Threads, a child, and the wall of files that the child puts around itself.
#[rustfmt::skip]
const CHILDREN: &[i64] = &[
    SYS_clone, SYS_set_robust_list, SYS_set_tid_address, SYS_sched_getaffinity, SYS_wait4, SYS_waitid, SYS_prctl,
    SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self,
];

fn refusing(parts: &[&[i64]], refused: Vec<(i64, Vec<Case>)>) -> Filter {
    Filter { allowed: parts.concat(), refused, pretended: Vec::new(), unknown: EPERM }
}

/// The workload's pid 1: waits for its children and its channel, and sends signals. Where ports are published, it connects: in the
/// workload's own network namespace, where it gains nothing by it that the workload has not.
pub(super) fn init(ports: Ports) -> Filter {
    // prctl: it ties itself to the supervisor after the last change of credentials.
    let own = [SYS_wait4, SYS_waitid, SYS_kill, SYS_tgkill, SYS_prctl];
    let (connecting, streams): (&[i64], _) = match ports {
        Ports::Unpublished => (&[], vec![]),
        Ports::Published => (&[SYS_socket, SYS_connect], streams_only()),
    };
    refusing(&[BASE, BASE_OLD, &own, connecting], [no_fast_open(), few_commands(), streams].concat())
}

/// Who ends a container without its supervisor: SIGKILL, by one descriptor.
pub(super) fn keeper(container: RawFd) -> Filter {
    let others = vec![vec![IsNot(0, container as u32)], vec![IsNot(1, SIGKILL as u32)]];
    // prctl: it makes itself measurable when it can do nothing else.
    let refused = [vec![(SYS_pidfd_send_signal, others)], no_fast_open(), few_commands()].concat();
    refusing(&[BASE, BASE_OLD, &[SYS_pidfd_send_signal, SYS_prctl]], refused)
}

/// The gate: accepts, relays, asks the dialler. It can make no socket, open no file and start nothing.
pub(super) fn gate() -> Filter {
    let own = [SYS_accept4, SYS_splice, SYS_pipe2];
    refusing(&[BASE, BASE_OLD, ASYNC, ASYNC_OLD, &own], [no_fast_open(), few_options(), few_commands()].concat())
}

/// The dialler: resolves and connects. Datagram sockets are bound to a port of the kernel's choice, so bind is there;
/// without listen and accept nothing can be served.
pub(super) fn dialler() -> Filter {
    let own = [SYS_socket, SYS_connect, SYS_bind, SYS_openat, SYS_statx, SYS_lseek, SYS_pread64, SYS_newfstatat];
    let families = vec![
        vec![IsNot(0, AF_INET as u32), IsNot(0, AF_INET6 as u32)],
        vec![Has(1, SOCK_RAW as u64)],
        vec![IsNot(2, 0), IsNot(2, IPPROTO_TCP as u32), IsNot(2, IPPROTO_UDP as u32)],
    ];
    let reading = [O_WRONLY, O_RDWR, O_CREAT, O_TRUNC].map(|flag| vec![Has(2, flag as u64)]).to_vec();
    let refused = vec![(SYS_socket, families), (SYS_openat, reading)];
    refusing(&[BASE, BASE_OLD, ASYNC, ASYNC_OLD, &own], [refused, few_commands()].concat())
}

/// Who works with the ids of a range: changes files, and forks. It can make no socket and no namespace, start nothing, and
/// look into no other process. What is not here is unknown, so that threads are begun by clone(2), whose flags can be told.
pub(super) fn steward() -> Filter {
    let table = [BASE, BASE_OLD, FILES, FILES_OLD, CHILDREN].concat();
    let commands = few_commands().into_iter().filter(|(call, _)| *call != SYS_fcntl);
    let refused = commands.chain(no_fast_open()).chain(no_namespaces()).chain(no_signals()).collect();
    Filter { allowed: table, refused, pretended: Vec::new(), unknown: ENOSYS }
}

fn no_namespaces() -> Vec<(i64, Vec<Case>)> {
    let flags = [CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET];
    vec![(SYS_clone, flags.iter().map(|flag| vec![Has(0, u64::from(*flag as u32))]).collect())]
}

/// Of fcntl(2) what it does to descriptors, sizes and seals.
fn no_signals() -> Vec<(i64, Vec<Case>)> {
    let known = [F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_ADD_SEALS];
    vec![(SYS_fcntl, vec![known.iter().map(|command| IsNot(1, *command as u32)).collect()])]
}

/// Of sockets only TCP's. A stream is the one type of a number without these bits.
fn streams_only() -> Vec<(i64, Vec<Case>)> {
    let cases = vec![
        vec![IsNot(0, AF_INET as u32), IsNot(0, AF_INET6 as u32)],
        vec![Has(1, 2)],
        vec![Has(1, 4)],
        vec![Has(1, 8)],
        vec![IsNot(2, IPPROTO_TCP as u32)],
    ];
    vec![(SYS_socket, cases)]
}

/// A send with MSG_FASTOPEN connects.
fn no_fast_open() -> Vec<(i64, Vec<Case>)> {
    let flag = MSG_FASTOPEN as u64;
    vec![
        (SYS_sendto, vec![vec![Has(3, flag)]]),
        (SYS_sendmsg, vec![vec![Has(2, flag)]]),
        (SYS_sendmmsg, vec![vec![Has(3, flag)]]),
    ]
}

/// Of a socket's options only how it closes and whether it waits for more. Others lead a connected socket's packets
/// elsewhere (source routes, another device), or let it connect.
fn few_options() -> Vec<(i64, Vec<Case>)> {
    let cases = vec![
        vec![IsNot(1, SOL_SOCKET as u32), IsNot(1, IPPROTO_TCP as u32)],
        vec![Is(1, SOL_SOCKET as u32), IsNot(2, SO_LINGER as u32)],
        vec![Is(1, IPPROTO_TCP as u32), IsNot(2, TCP_NODELAY as u32)],
    ];
    vec![(SYS_setsockopt, cases)]
}

/// Of ioctl only FIONBIO and FIONREAD; of prctl only the names of memory and threads, and reading; of fcntl only flags,
/// duplicates and a pipe's size. Others make a descriptor send signals, SIGKILL among them, to whoever has the same uid.
fn few_commands() -> Vec<(i64, Vec<Case>)> {
    let ioctls = vec![IsNot(1, FIONBIO as u32), IsNot(1, FIONREAD as u32)];
    let known = [
        PR_SET_NO_NEW_PRIVS,
        PR_SET_NAME,
        PR_GET_NAME,
        PR_SET_VMA,
        PR_GET_DUMPABLE,
        PR_SET_DUMPABLE,
        PR_SET_PDEATHSIG,
        PR_GET_PDEATHSIG,
    ];
    let prctls = known.iter().map(|command| IsNot(0, *command as u32)).collect();
    let known = [F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_SETPIPE_SZ];
    let fcntls = known.iter().map(|command| IsNot(1, *command as u32)).collect();
    vec![(SYS_ioctl, vec![ioctls]), (SYS_prctl, vec![prctls]), (SYS_fcntl, vec![fcntls])]
}
