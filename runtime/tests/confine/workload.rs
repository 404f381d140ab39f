//! What does the workload's confinement refuse, and what runs under it?

use std::process::Command;

use bottle_runtime::confine::{self, Identity, Ports};
use nix::sched::{CloneFlags, unshare};
use rustix::io::Errno;

use crate::harness::Claim;
use crate::sys::{call, call_with_path};

pub(crate) const CLAIMS: &[Claim] = &[
    ("every_refused_call_is_refused", refused_calls),
    ("calls_that_libraries_can_do_without_are_unknown", unknown_calls),
    ("only_four_families_of_sockets_can_be_made", families),
    ("only_tcp_and_udp_can_be_spoken", protocols),
    ("no_new_namespace_can_be_made", namespaces),
    ("nothing_can_be_typed_into_a_terminal", terminals),
    ("no_call_makes_a_setuid_file", setuid_modes),
    ("a_garbage_mode_does_not_hinder_opening", garbage_mode),
    ("privileges_are_gone_for_good", privileges),
    ("bash_runs", || runs("bash", &["-c", "x=$(echo a | cat) && (exit 0) & wait; [[ -n $BASH ]]"])),
    ("python_runs_with_threads_and_processes", || runs("python3", &["-c", PYTHON])),
    ("node_runs_with_workers_and_children", || runs("node", &["-e", NODE])),
    ("git_commits", git),
    ("the_programs_have_stable_digests", digests),
];

/// The toolchain that runs these tests may lie in root's home, where nobody else gets in.
pub(crate) const ROOT_CLAIMS: &[Claim] =
    &[("cargo_runs", || runs(&std::env::var("CARGO").unwrap_or("cargo".into()), &["--version"]))];

const PYTHON: &str = "import threading, subprocess, socket, ssl, tempfile, multiprocessing, os, asyncio\n\
    t = threading.Thread(target=lambda: None); t.start(); t.join()\n\
    assert subprocess.run(['true']).returncode == 0\n\
    socket.socket().close(); socket.socketpair(); socket.if_nameindex()\n\
    q = multiprocessing.Pool(1); assert q.map(abs, [-1]) == [1]; q.terminate()\n\
    async def main(): await asyncio.sleep(0)\n\
    asyncio.run(main())\n";

const NODE: &str = "const {Worker} = require('worker_threads'); const {execSync} = require('child_process');\
    require('os').networkInterfaces(); execSync('true'); require('fs').readFileSync('/etc/hostname');\
    new Worker('1', {eval: true}).on('exit', c => process.exit(c));";

/// Confines the calling process; an ordinary user does so in a user namespace, as in a bottle.
pub(crate) fn confined() {
    confine::workload(own_in_a_namespace()).unwrap();
}

/// The ids of whoever runs the test, who may give up the others: an ordinary user in a user namespace, as in a bottle.
pub(crate) fn own_in_a_namespace() -> Identity {
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    if uid != 0 {
        unshare(CloneFlags::CLONE_NEWUSER).unwrap();
        std::fs::write("/proc/self/setgroups", "deny").unwrap();
        std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).unwrap();
        std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).unwrap();
    }
    Identity { uid, gid }
}

fn refused_calls() {
    use libc::*;
    let refused: &[(&str, i64)] = &[
        ("io_uring_setup", SYS_io_uring_setup),
        ("io_uring_enter", SYS_io_uring_enter),
        ("bpf", SYS_bpf),
        ("perf_event_open", SYS_perf_event_open),
        ("userfaultfd", SYS_userfaultfd),
        ("add_key", SYS_add_key),
        ("request_key", SYS_request_key),
        ("keyctl", SYS_keyctl),
        ("open_by_handle_at", SYS_open_by_handle_at),
        ("name_to_handle_at", SYS_name_to_handle_at),
        ("unshare", SYS_unshare),
        ("setns", SYS_setns),
        ("chroot", SYS_chroot),
        ("pivot_root", SYS_pivot_root),
        ("mount", SYS_mount),
        ("umount2", SYS_umount2),
        ("fsopen", SYS_fsopen),
        ("fsconfig", SYS_fsconfig),
        ("fsmount", SYS_fsmount),
        ("fspick", SYS_fspick),
        ("open_tree", SYS_open_tree),
        ("move_mount", SYS_move_mount),
        ("mount_setattr", SYS_mount_setattr),
        ("fanotify_init", SYS_fanotify_init),
        ("init_module", SYS_init_module),
        ("finit_module", SYS_finit_module),
        ("delete_module", SYS_delete_module),
        ("kexec_load", SYS_kexec_load),
        ("reboot", SYS_reboot),
        ("swapon", SYS_swapon),
        ("swapoff", SYS_swapoff),
        ("quotactl", SYS_quotactl),
        ("acct", SYS_acct),
        ("syslog", SYS_syslog),
        ("sethostname", SYS_sethostname),
        ("setdomainname", SYS_setdomainname),
        ("settimeofday", SYS_settimeofday),
        ("clock_settime", SYS_clock_settime),
        ("clock_adjtime", SYS_clock_adjtime),
        ("vhangup", SYS_vhangup),
        ("move_pages", SYS_move_pages),
        ("memfd_secret", SYS_memfd_secret),
    ];
    confined();
    for (name, number) in refused {
        assert_eq!(call(*number, [0; 6]), Err(Errno::PERM), "{name}");
    }
}

fn unknown_calls() {
    confined();
    for number in [libc::SYS_clone3, libc::SYS_openat2, 5000, 0x4000_0000 + libc::SYS_read] {
        assert_eq!(call(number, [0; 6]), Err(Errno::NOSYS), "{number}");
    }
}

fn socket(family: i32, kind: i32, protocol: i32) -> Result<i64, Errno> {
    call(libc::SYS_socket, [family as u64, kind as u64, protocol as u64, 0, 0, 0])
}

fn families() {
    use libc::{
        AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, NETLINK_ROUTE, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM,
    };
    confined();
    let known = [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK];
    for family in (0..64).filter(|family| !known.contains(family)) {
        for kind in [SOCK_STREAM, SOCK_DGRAM, SOCK_RAW] {
            assert_eq!(socket(family, kind, 0), Err(Errno::PERM), "family {family}");
        }
    }
    for netlink in 1..24 {
        assert_eq!(socket(AF_NETLINK, SOCK_RAW, netlink), Err(Errno::PERM), "netlink {netlink}");
    }
    assert!(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE).is_ok());
    assert!(socket(AF_UNIX, SOCK_SEQPACKET, 0).is_ok());
    assert!(socket(AF_UNIX, SOCK_STREAM, 0).is_ok());
    // What is above 32 bits does not count for the kernel, so it must not hide a family from the filter.
    let high = 0xffff_0000_0000_0000_u64 >> 16 << 16;
    assert!(call(libc::SYS_socket, [high | libc::AF_VSOCK as u64, 1, 0, 0, 0, 0]).is_err());
}

fn protocols() {
    use libc::{AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM};
    const OTHERS: [(i32, i32); 6] = [
        (SOCK_DGRAM, 1),
        (SOCK_DGRAM, 58),
        (SOCK_STREAM, 132),
        (SOCK_DGRAM, 136),
        (SOCK_DGRAM, 33),
        (SOCK_STREAM, 262),
    ];
    confined();
    for family in [AF_INET, AF_INET6] {
        for kind in [SOCK_STREAM, SOCK_DGRAM] {
            assert!(socket(family, kind, 0).is_ok());
            assert!(socket(family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0).is_ok());
        }
        for kind in (0..16).filter(|kind| ![SOCK_STREAM, SOCK_DGRAM].contains(kind)) {
            assert_eq!(socket(family, kind, 0), Err(Errno::PERM), "type {kind}");
        }
        for protocol in [1, 2, 47, 255] {
            assert_eq!(socket(family, SOCK_RAW, protocol), Err(Errno::PERM));
            assert_eq!(socket(family, SOCK_SEQPACKET, protocol), Err(Errno::PERM));
        }
        for (kind, protocol) in OTHERS {
            assert_eq!(socket(family, kind, protocol), Err(Errno::PERM), "protocol {protocol}");
        }
    }
}

fn namespaces() {
    confined();
    for flag in [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
        let flags = nix::libc::SIGCHLD as u64 | flag;
        assert_eq!(clone(flags), Err(Errno::PERM), "{flag:x}");
    }
}

/// With a flag that is refused there is no child.
fn clone(flags: u64) -> Result<i64, Errno> {
    call_with_path(libc::SYS_clone, [flags, 0, 0, 0, 0, 0], 5, c"")
}

fn terminals() {
    let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let terminal = rustix::pty::ioctl_tiocgptpeer(&master, rustix::pty::OpenptFlags::RDWR).unwrap();
    use std::os::fd::AsRawFd;
    let number = terminal.as_raw_fd() as u64;
    confined();
    for command in [0x5412_u64, 0x541c, 0x541d, 0x5423] {
        for high in [0, 1 << 32, 0xffff_ffff << 32] {
            let result = call_with_path(libc::SYS_ioctl, [number, high | command, 0, 0, 0, 0], 2, c"x");
            assert_eq!(result, Err(Errno::PERM), "{command:x}");
        }
    }
    assert!(rustix::termios::isatty(&terminal));
}

fn setuid_modes() {
    use libc::*;
    let directory = tempfile::tempdir().unwrap();
    std::env::set_current_dir(directory.path()).unwrap();
    std::fs::write("file", "").unwrap();
    confined();
    let here = AT_FDCWD as u32 as u64;
    let create = (O_CREAT | O_WRONLY) as u64;
    for mode in [0o4755, 0o2755, 0o6777, 0o4000] {
        let tries = [
            call_with_path(SYS_fchmodat, [here, 0, mode, 0, 0, 0], 1, c"file"),
            call_with_path(SYS_fchmodat2, [here, 0, mode, 0, 0, 0], 1, c"file"),
            call_with_path(SYS_openat, [here, 0, create, mode, 0, 0], 1, c"new"),
            call_with_path(SYS_openat, [here, 0, (O_TMPFILE | O_WRONLY) as u64, mode, 0, 0], 1, c"."),
            call_with_path(SYS_mknodat, [here, 0, mode | u64::from(S_IFREG), 0, 0, 0], 1, c"node"),
            call(SYS_fchmod, [0, mode, 0, 0, 0, 0]),
            #[cfg(target_arch = "x86_64")]
            call_with_path(SYS_open, [0, create, mode, 0, 0, 0], 0, c"new"),
            #[cfg(target_arch = "x86_64")]
            call_with_path(SYS_creat, [0, mode, 0, 0, 0, 0], 0, c"new"),
            #[cfg(target_arch = "x86_64")]
            call_with_path(SYS_chmod, [0, mode, 0, 0, 0, 0], 0, c"file"),
            #[cfg(target_arch = "x86_64")]
            call_with_path(SYS_mknod, [0, mode | u64::from(S_IFREG), 0, 0, 0, 0], 0, c"node"),
        ];
        for (index, result) in tries.into_iter().enumerate() {
            assert_eq!(result, Err(Errno::PERM), "try {index}, mode {mode:o}");
        }
    }
    assert_eq!(call_with_path(SYS_fchmodat, [here, 0, 0o1755, 0, 0, 0], 1, c"file"), Ok(0));
}

fn garbage_mode() {
    let directory = tempfile::tempdir().unwrap();
    std::env::set_current_dir(directory.path()).unwrap();
    std::fs::write("file", "").unwrap();
    confined();
    let here = libc::AT_FDCWD as u32 as u64;
    assert!(call_with_path(libc::SYS_openat, [here, 0, 0, 0o7777, 0, 0], 1, c"file").is_ok());
    let directory = libc::O_DIRECTORY as u64;
    assert!(call_with_path(libc::SYS_openat, [here, 0, directory, 0o7777, 0, 0], 1, c".").is_ok());
}

fn privileges() {
    confined();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let caps = status.lines().filter(|line| line.starts_with("Cap"));
    assert!(caps.clone().all(|line| line.ends_with("0000000000000000")), "{status}");
    assert_eq!(caps.count(), 5);
    assert!(status.contains("NoNewPrivs:\t1\n") && status.contains("Seccomp:\t2\n"));
    let other = nix::unistd::Uid::from_raw(nix::unistd::getuid().as_raw() + 1);
    assert!(nix::unistd::setuid(other).is_err());
}

fn runs(program: &str, arguments: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    confined();
    let output = Command::new(program).args(arguments).current_dir(directory.path()).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
}

fn git() {
    let script = "git init -q . && echo x > f && git add f && \
                  git -c user.name=a -c user.email=a@b commit -qm x && git gc -q && git clone -q . c && git log -1";
    runs("bash", &["-ec", script]);
}

fn digests() {
    let digests = confine::digests(Ports::Unpublished).unwrap();
    assert_eq!(digests.keys().collect::<Vec<_>>(), ["dialler", "gate", "init", "workload"]);
    assert!(digests.values().all(|digest| digest.len() == 64));
    assert_eq!(digests, confine::digests(Ports::Unpublished).unwrap());
    let published = confine::digests(Ports::Published).unwrap();
    let others = |role: &&String| digests[*role] != published[*role];
    assert_eq!(digests.keys().filter(others).collect::<Vec<_>>(), ["init"]);
}
