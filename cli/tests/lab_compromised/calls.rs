//! Which system calls would lead out of a helper? Attacks by name, and all that is not named as needed.

use rustix::io::Errno;

use crate::puppet::Puppet;

/// Calls that must be refused whatever their arguments.
#[rustfmt::skip]
const ATTACKS: &[(&str, &[(&str, i64)])] = &[
    ("open a file", &[
        ("openat2", libc::SYS_openat2), ("name_to_handle_at", libc::SYS_name_to_handle_at),
        ("open_by_handle_at", libc::SYS_open_by_handle_at), ("memfd_create", libc::SYS_memfd_create),
        ("memfd_secret", libc::SYS_memfd_secret), ("readlinkat", libc::SYS_readlinkat), ("mq_open", libc::SYS_mq_open),
        ("shmget", libc::SYS_shmget), ("inotify_init1", libc::SYS_inotify_init1),
    ]),
    ("change a file", &[
        ("unlinkat", libc::SYS_unlinkat), ("renameat2", libc::SYS_renameat2), ("linkat", libc::SYS_linkat),
        ("symlinkat", libc::SYS_symlinkat), ("fchmodat", libc::SYS_fchmodat), ("fchownat", libc::SYS_fchownat),
        ("mknodat", libc::SYS_mknodat), ("mkdirat", libc::SYS_mkdirat), ("truncate", libc::SYS_truncate),
        ("ftruncate", libc::SYS_ftruncate), ("setxattr", libc::SYS_setxattr), ("utimensat", libc::SYS_utimensat),
    ]),
    ("start a program", &[
        ("execve", libc::SYS_execve), ("execveat", libc::SYS_execveat), ("clone", libc::SYS_clone),
        ("clone3", libc::SYS_clone3),
    ]),
    ("reach a process", &[
        ("ptrace", libc::SYS_ptrace), ("process_vm_readv", libc::SYS_process_vm_readv),
        ("process_vm_writev", libc::SYS_process_vm_writev), ("process_madvise", libc::SYS_process_madvise),
        ("pidfd_open", libc::SYS_pidfd_open), ("pidfd_getfd", libc::SYS_pidfd_getfd),
        ("pidfd_send_signal", libc::SYS_pidfd_send_signal), ("kcmp", libc::SYS_kcmp), ("kill", libc::SYS_kill),
        ("tkill", libc::SYS_tkill), ("tgkill", libc::SYS_tgkill), ("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo),
        ("prlimit64", libc::SYS_prlimit64), ("setpriority", libc::SYS_setpriority),
        ("sched_setaffinity", libc::SYS_sched_setaffinity), ("move_pages", libc::SYS_move_pages),
    ]),
    ("leave its namespaces", &[
        ("unshare", libc::SYS_unshare), ("setns", libc::SYS_setns), ("mount", libc::SYS_mount),
        ("umount2", libc::SYS_umount2), ("open_tree", libc::SYS_open_tree), ("move_mount", libc::SYS_move_mount),
        ("fsopen", libc::SYS_fsopen), ("pivot_root", libc::SYS_pivot_root), ("chroot", libc::SYS_chroot),
        ("setuid", libc::SYS_setuid), ("setresuid", libc::SYS_setresuid), ("capset", libc::SYS_capset),
    ]),
    ("have the kernel do it", &[
        ("io_uring_setup", libc::SYS_io_uring_setup), ("io_uring_enter", libc::SYS_io_uring_enter),
        ("bpf", libc::SYS_bpf), ("keyctl", libc::SYS_keyctl), ("add_key", libc::SYS_add_key),
        ("request_key", libc::SYS_request_key), ("userfaultfd", libc::SYS_userfaultfd),
        ("perf_event_open", libc::SYS_perf_event_open), ("init_module", libc::SYS_init_module),
        ("seccomp", libc::SYS_seccomp), ("personality", libc::SYS_personality),
    ]),
    ("serve others", &[
        ("listen", libc::SYS_listen), ("accept", libc::SYS_accept), ("socketpair", libc::SYS_socketpair),
    ]),
];

/// What both helpers need, as the test has it: another call that is let through is a finding.
#[rustfmt::skip]
const NEEDED: &[i64] = &[
    libc::SYS_read, libc::SYS_write, libc::SYS_close, libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap,
    libc::SYS_mprotect, libc::SYS_madvise, libc::SYS_brk, libc::SYS_futex, libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack, libc::SYS_restart_syscall,
    libc::SYS_clock_gettime, libc::SYS_clock_nanosleep, libc::SYS_gettimeofday, libc::SYS_getrandom, libc::SYS_getpid,
    libc::SYS_gettid, libc::SYS_sched_yield, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_ppoll, libc::SYS_sendmsg,
    libc::SYS_recvmsg, libc::SYS_fstat, libc::SYS_rseq, libc::SYS_epoll_create1, libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_eventfd2, libc::SYS_readv, libc::SYS_writev,
    libc::SYS_sendto, libc::SYS_recvfrom, libc::SYS_sendmmsg, libc::SYS_recvmmsg, libc::SYS_getsockopt,
    libc::SYS_setsockopt, libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_shutdown, libc::SYS_fcntl,
    libc::SYS_dup, libc::SYS_ioctl, libc::SYS_sched_getaffinity, libc::SYS_prctl, libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
];

/// The kernel's own, for the trampolines of its probes: it shows them to no filter, and they do nothing elsewhere.
#[cfg(target_arch = "x86_64")]
const UNFILTERED: &[i64] = &[335, 336];
#[cfg(not(target_arch = "x86_64"))]
const UNFILTERED: &[i64] = &[];

/// Of fcntl (linux/fcntl.h).
const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;

/// Of ioctl (linux/sockios.h).
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;
const SIOCETHTOOL: u64 = 0x8946;

/// Types into a console (linux/tiocl.h).
const TIOCLINUX: u64 = 0x541c;

/// Above every number that a kernel knows today.
const NUMBERS: i64 = 600;

/// The bit of the numbers of x32.
const X32: i64 = 0x4000_0000;

/// Each attack, and each call that is neither needed by all nor by this one.
pub fn assert_refused(puppet: &Puppet, own: &[i64]) {
    for (purpose, calls) in ATTACKS {
        for (name, number) in *calls {
            assert_eq!(puppet.call(*number, &[]), Err(Errno::PERM), "{purpose}: {name}");
        }
    }
    let skipped = |number: &i64| [NEEDED, own, UNFILTERED].iter().any(|calls| calls.contains(number));
    let refused = (0..NUMBERS).filter(|number| !skipped(number));
    for number in refused.chain([X32, X32 + libc::SYS_openat, X32 + libc::SYS_socket]) {
        assert_eq!(puppet.call(number, &[]), Err(Errno::PERM), "call {number}");
    }
    assert_few_commands(puppet);
}

/// Commands of calls that are needed for others.
fn assert_few_commands(puppet: &Puppet) {
    let refused = |number, arguments: &[u64], what: &str| {
        assert_eq!(puppet.call(number, arguments), Err(Errno::PERM), "{what}");
    };
    for command in [libc::F_SETOWN, F_SETSIG, F_SETOWN_EX, libc::F_SETLEASE, libc::F_NOTIFY, libc::F_SETLK] {
        refused(libc::SYS_fcntl, &[0, command as u64, 1], &format!("fcntl {command}"));
    }
    for command in [libc::FIOASYNC, FIOSETOWN, SIOCSPGRP, libc::TIOCSTI, TIOCLINUX, SIOCETHTOOL] {
        refused(libc::SYS_ioctl, &[0, command], &format!("ioctl {command:#x}"));
    }
    for command in [libc::PR_SET_MM, libc::PR_SET_SECCOMP, libc::PR_SET_PTRACER, libc::PR_CAP_AMBIENT] {
        refused(libc::SYS_prctl, &[command.cast_unsigned().into(), 0, 0, 0, 0], &format!("prctl {command}"));
    }
}
