//! What can the gate and the dialler still do?

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use bottle_runtime::confine::{self, Ports};
use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Claim, in_child};
use crate::sys::call;
use crate::workload::own_in_a_namespace;

pub(crate) const CLAIMS: &[Claim] = &[
    ("the_gate_can_open_and_start_nothing", gate_refuses),
    ("the_gate_can_lead_no_socket_elsewhere", gate_changes_no_socket),
    ("the_gate_serves_sockets_that_it_was_handed", gate_serves),
    ("init_can_open_no_socket_where_no_port_is_published", init_refuses),
    ("init_connects_streams_alone_where_ports_are_published", init_connects),
    ("the_dialler_can_serve_and_start_nothing", dialler_refuses),
    ("the_dialler_connects_and_reads_only_what_was_named", dialler_connects),
    ("the_steward_has_files_and_can_start_connect_and_enter_nothing", steward_refuses),
    ("who_unpacks_has_the_store_and_no_other_file", unpacker_stays),
];

fn refuse(calls: &[(&str, i64)]) {
    for (name, number) in calls {
        assert_eq!(call(*number, [0; 6]), Err(Errno::PERM), "{name}");
    }
}

/// Commands by which a descriptor sends signals to a process of the caller's choice.
fn refuse_signals() {
    const F_SETSIG: u64 = 10;
    const F_SETOWN_EX: u64 = 15;
    for command in [libc::F_SETOWN as u64, F_SETSIG, F_SETOWN_EX, libc::F_SETLEASE as u64, libc::F_NOTIFY as u64] {
        assert_eq!(call(libc::SYS_fcntl, [0, command, 1, 0, 0, 0]), Err(Errno::PERM), "fcntl {command}");
    }
}

const STARTING: &[(&str, i64)] = &[
    ("execve", libc::SYS_execve),
    ("execveat", libc::SYS_execveat),
    ("kill", libc::SYS_kill),
    ("tgkill", libc::SYS_tgkill),
    ("ptrace", libc::SYS_ptrace),
    ("clone", libc::SYS_clone),
    ("clone3", libc::SYS_clone3),
    ("unshare", libc::SYS_unshare),
    ("setns", libc::SYS_setns),
    ("mount", libc::SYS_mount),
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("bpf", libc::SYS_bpf),
    ("listen", libc::SYS_listen),
    ("accept", libc::SYS_accept),
    ("pidfd_getfd", libc::SYS_pidfd_getfd),
    ("process_vm_writev", libc::SYS_process_vm_writev),
    ("unlinkat", libc::SYS_unlinkat),
];

fn steward_refuses() {
    confine::steward().unwrap();
    let files = ["clone", "unlinkat"];
    let others: &[(&str, i64)] = &[
        ("socket", libc::SYS_socket),
        ("connect", libc::SYS_connect),
        ("bind", libc::SYS_bind),
        ("pidfd_open", libc::SYS_pidfd_open),
        ("process_vm_readv", libc::SYS_process_vm_readv),
        ("open_tree", libc::SYS_open_tree),
        ("fsopen", libc::SYS_fsopen),
        ("setresuid", libc::SYS_setresuid),
        ("keyctl", libc::SYS_keyctl),
        ("userfaultfd", libc::SYS_userfaultfd),
        ("perf_event_open", libc::SYS_perf_event_open),
        ("open_by_handle_at", libc::SYS_open_by_handle_at),
    ];
    for (name, number) in STARTING.iter().chain(others).filter(|(name, _)| !files.contains(name)) {
        assert_eq!(call(*number, [0; 6]), Err(Errno::NOSYS), "{name}");
    }
    for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET] {
        assert_eq!(call(libc::SYS_clone, [flag as u64, 0, 0, 0, 0, 0]), Err(Errno::PERM), "clone {flag:x}");
    }
    refuse_signals();
    assert_eq!(std::thread::spawn(|| std::fs::read("/proc/self/status").unwrap().len() > 1).join().ok(), Some(true));
}

fn unpacker_stays() {
    let (store, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for directory in [&store, &other] {
        std::fs::write(directory.path().join("there"), "x").unwrap();
    }
    std::fs::create_dir(store.path().join("a")).unwrap();
    // Who is closed in could not remove the directories.
    assert_eq!(in_child(&|| stays_in(store.path(), other.path())), 0);
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(store.path().join("a")).unwrap().count(), 2);
}

fn stays_in(store: &Path, outside: &Path) {
    confine::steward().unwrap();
    confine::unpacker(store).unwrap();
    std::fs::write(store.join("new"), "x").unwrap();
    std::fs::rename(store.join("new"), store.join("a/renamed")).unwrap();
    std::fs::hard_link(store.join("there"), store.join("a/linked")).unwrap();
    std::fs::remove_file(store.join("there")).unwrap();
    let is_refused = |done: std::io::Result<()>| {
        let error = done.expect_err("a file outside").raw_os_error();
        assert!([libc::EACCES, libc::EXDEV].map(Some).contains(&error), "{error:?}");
    };
    is_refused(std::fs::read(outside.join("there")).map(drop));
    is_refused(std::fs::write(outside.join("new"), "x"));
    is_refused(std::fs::remove_file(outside.join("there")));
    is_refused(std::fs::rename(store.join("a/renamed"), outside.join("moved")));
    is_refused(std::fs::read_dir(outside).map(drop));
    is_refused(std::fs::read("/etc/passwd").map(drop));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn gate_refuses() {
    confine::gate(None).unwrap();
    refuse(STARTING);
    refuse_signals();
    refuse(&[
        ("socket", libc::SYS_socket),
        ("socketpair", libc::SYS_socketpair),
        ("connect", libc::SYS_connect),
        ("bind", libc::SYS_bind),
        ("openat", libc::SYS_openat),
        ("openat2", libc::SYS_openat2),
        ("memfd_create", libc::SYS_memfd_create),
        ("statx", libc::SYS_statx),
    ]);
    let fast_open = libc::MSG_FASTOPEN as u64;
    assert_eq!(call_flags(libc::SYS_sendto, [0, 0, 0, fast_open, 0, 0]), Err(Errno::PERM));
    assert_eq!(call_flags(libc::SYS_sendmsg, [0, 0, fast_open, 0, 0, 0]), Err(Errno::PERM));
}

/// Options by which packets of a connected socket go elsewhere: source routes, another device, another first write.
const LEADING_AWAY: &[(i32, i32)] = &[
    (libc::IPPROTO_IP, libc::IP_OPTIONS),
    (libc::IPPROTO_IP, libc::IP_TRANSPARENT),
    (libc::IPPROTO_IPV6, libc::IPV6_RTHDR),
    (libc::SOL_SOCKET, libc::SO_BINDTODEVICE),
    (libc::SOL_SOCKET, libc::SO_DONTROUTE),
    (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER),
    (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT),
    (libc::IPPROTO_TCP, libc::TCP_ULP),
];

fn gate_changes_no_socket() {
    confine::gate(None).unwrap();
    for (level, name) in LEADING_AWAY {
        let arguments = [0, *level as u64, *name as u64, 0, 0, 0];
        assert_eq!(call(libc::SYS_setsockopt, arguments), Err(Errno::PERM), "level {level}, option {name}");
    }
}

fn call_flags(number: i64, arguments: [u64; 6]) -> Result<i64, Errno> {
    crate::sys::call_with_path(number, arguments, 1, c"")
}

fn gate_serves() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"hello").unwrap();
    let runtime = runtime();
    confine::gate(None).unwrap();
    let served = runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (mut peer, _) = listener.accept().await?;
        let mut word = [0; 5];
        peer.read_exact(&mut word).await?;
        peer.local_addr()?;
        peer.set_nodelay(true)?;
        rustix::net::sockopt::set_socket_linger(&peer, None)?;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::write(&write, &word)?;
        let sent = rustix::pipe::splice(&read, None, &peer, None, 5, rustix::pipe::SpliceFlags::empty())?;
        assert_eq!(sent, 5);
        peer.shutdown().await?;
        std::io::Result::Ok(word)
    });
    assert_eq!(&served.unwrap(), b"hello");
    let mut echoed = String::new();
    client.read_to_string(&mut echoed).unwrap();
    assert_eq!(echoed, "hello");
}

/// Those that init has, which signals the workload.
fn refuse_all_but_signals() {
    let of_init = ["kill", "tgkill"];
    let refused: Vec<(&str, i64)> = STARTING.iter().filter(|(name, _)| !of_init.contains(name)).copied().collect();
    refuse(&refused);
    refuse_signals();
    let open = [("bind", libc::SYS_bind), ("openat", libc::SYS_openat), ("setsockopt", libc::SYS_setsockopt)];
    refuse(&[&open[..], &[("sendto", libc::SYS_sendto), ("accept4", libc::SYS_accept4)]].concat());
}

fn init_refuses() {
    confine::init(own_in_a_namespace(), Ports::Unpublished).unwrap();
    refuse_all_but_signals();
    refuse(&[("socket", libc::SYS_socket), ("connect", libc::SYS_connect)]);
}

fn init_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    confine::init(own_in_a_namespace(), Ports::Published).unwrap();
    refuse_all_but_signals();
    let tcp = libc::IPPROTO_TCP as u64;
    for (family, kind, protocol) in [(1, 1, 0), (16, 3, 0), (17, 3, 0), (40, 1, 0), (2, 1, 0), (2, 1, 132), (2, 1, 262)]
    {
        assert_eq!(call(libc::SYS_socket, [family, kind, protocol, 0, 0, 0]), Err(Errno::PERM), "family {family}");
    }
    for kind in (2..=10).chain([2 | libc::SOCK_NONBLOCK as u64, 3 | libc::SOCK_CLOEXEC as u64]) {
        assert_eq!(call(libc::SYS_socket, [2, kind, tcp, 0, 0, 0]), Err(Errno::PERM), "kind {kind}");
    }
    let (family, kind) = (rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM);
    let flags = rustix::net::SocketFlags::NONBLOCK | rustix::net::SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, kind, flags, Some(rustix::net::ipproto::TCP)).unwrap();
    let connected = rustix::net::connect(&socket, &"127.0.0.1:1".parse::<std::net::SocketAddr>().unwrap());
    assert_eq!(connected, Err(Errno::INPROGRESS));
    drop(listener);
}

fn dialler_refuses() {
    confine::dialler(None, &[]).unwrap();
    refuse(STARTING);
    refuse_signals();
    for (family, kind, protocol) in [(1, 1, 0), (16, 3, 0), (17, 3, 0), (40, 1, 0), (2, 3, 1), (2, 1, 132)] {
        assert_eq!(call(libc::SYS_socket, [family, kind, protocol, 0, 0, 0]), Err(Errno::PERM), "family {family}");
    }
    assert!(std::fs::read("/etc/passwd").is_err());
}

fn dialler_connects() {
    let directory = tempfile::tempdir().unwrap();
    let [named, other] = ["named", "other"].map(|name| directory.path().join(name));
    std::fs::write(&named, "text").unwrap();
    std::fs::write(&other, "text").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = runtime();
    confine::dialler(None, std::slice::from_ref(&named)).unwrap();
    runtime.block_on(async {
        tokio::net::TcpStream::connect(address).await.unwrap();
        let datagrams = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        datagrams.connect(address).await.unwrap();
    });
    assert_eq!(std::fs::read_to_string(&named).unwrap(), "text");
    assert_eq!(std::fs::read_to_string(&other).unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    assert!(std::fs::write(&named, "changed").is_err());
    // Nothing can be removed any more, so the directory stays for its maker.
    std::mem::forget(directory);
}
