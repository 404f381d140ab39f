//! How does an engine's runtime apply the workload's table to a container? As `linux.seccomp` of the OCI runtime specification.
//!
//! There is one answer for each call there, so that what the table forbids by arguments is said the other way round: with which ones
//! the call is allowed. All else is unknown (ENOSYS) to the container. What concerns bottle's own pid 1 and the limit of core dumps is
//! not there: both are the engine's.

use libc::*;
use serde_json::{Value, json};

use super::workload::{REFUSED, allowed};

/// A comparison of one argument's bits, of which the kernel looks at 32 where it takes an int.
type Bits = (u32, u64, u64);

const INT: u64 = 0xffff_ffff;
const SET_IDS: u64 = (S_ISUID | S_ISGID) as u64;

/// The profile.
pub fn profile() -> Value {
    let prefixed = |name: &'static str| name.trim_start_matches("SYS_");
    let by_arguments = by_arguments();
    let is_plain = |call: &i64| by_arguments.iter().all(|(known, _)| known != call);
    let plain: Vec<&str> = allowed().filter(|(_, call)| is_plain(call)).map(|(name, _)| prefixed(name)).collect();
    let refused: Vec<&str> = REFUSED.iter().map(|(name, _)| prefixed(name)).collect();
    let mut calls = vec![
        json!({"names": plain, "action": "SCMP_ACT_ALLOW"}),
        json!({"names": refused, "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM}),
    ];
    for (name, call) in allowed() {
        let cases = by_arguments.iter().filter(|(known, _)| *known == call).flat_map(|(_, cases)| cases);
        calls.extend(cases.map(|case| {
            json!({"names": [prefixed(name)], "action": "SCMP_ACT_ALLOW", "args": case.iter().map(argument).collect::<Vec<_>>()})
        }));
    }
    json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": ENOSYS, "architectures": [ARCHITECTURE], "syscalls": calls})
}

/// The calls that the tables know, by their names.
pub(crate) fn calls() -> impl Iterator<Item = &'static str> {
    allowed().chain(REFUSED.iter().copied()).map(|(name, _)| name.trim_start_matches("SYS_"))
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: &str = "SCMP_ARCH_X86_64";
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: &str = "SCMP_ARCH_AARCH64";

fn argument((index, mask, bits): &Bits) -> Value {
    json!({"index": index, "value": mask, "valueTwo": bits, "op": "SCMP_CMP_MASKED_EQ"})
}

/// Each of these is allowed in any of its cases only.
fn by_arguments() -> Vec<(i64, Vec<Vec<Bits>>)> {
    let namespaces =
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    let is = |index, value: i64| (index, INT, value as u64 & INT);
    let none_of = |index, mask: u64| vec![(index, mask, 0)];
    let personalities = [0, 0x0008, 0x0002_0000, 0x0002_0008, i64::from(ADDR_NO_RANDOMIZE), 0xffff_ffff];
    let making =
        |flags, mode| vec![none_of(flags, (O_CREAT | O_TMPFILE & !O_DIRECTORY) as u64), none_of(mode, SET_IDS)];
    let mut all = vec![
        (SYS_socket, sockets()),
        (SYS_socketpair, vec![vec![is(0, AF_UNIX.into())]]),
        (SYS_clone, vec![none_of(0, u64::from(namespaces as u32))]),
        (SYS_ioctl, all_but(1, &[0x5412, 0x541c, 0x541d, 0x5423])),
        (SYS_fcntl, all_but(1, &[F_SETLEASE as u32, F_NOTIFY as u32])),
        (SYS_personality, personalities.map(|value| vec![is(0, value)]).to_vec()),
        (SYS_fchmod, vec![none_of(1, SET_IDS)]),
        (SYS_fchmodat, vec![none_of(2, SET_IDS)]),
        (SYS_fchmodat2, vec![none_of(2, SET_IDS)]),
        (SYS_mknodat, vec![none_of(2, SET_IDS)]),
        (SYS_openat, making(2, 3)),
    ];
    #[cfg(target_arch = "x86_64")]
    all.extend([
        (SYS_chmod, vec![none_of(1, SET_IDS)]),
        (SYS_creat, vec![none_of(1, SET_IDS)]),
        (SYS_mknod, vec![none_of(1, SET_IDS)]),
        (SYS_open, making(1, 2)),
    ]);
    all
}

/// Streams, datagrams and messages between local programs; TCP and UDP; and routes to be read.
fn sockets() -> Vec<Vec<Bits>> {
    let family = |family: i32| (0, INT, family as u64);
    let kind = |kind: i32| (1, 0xf, kind as u64);
    let protocol = |protocol: i32| (2, INT, protocol as u64);
    let local = [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET].map(|it| vec![family(AF_UNIX), kind(it)]);
    let mut cases = local.to_vec();
    for version in [AF_INET, AF_INET6] {
        for it in [SOCK_STREAM, SOCK_DGRAM] {
            cases.extend([0, IPPROTO_TCP, IPPROTO_UDP].map(|of| vec![family(version), kind(it), protocol(of)]));
        }
    }
    cases.extend(
        [SOCK_STREAM, SOCK_DGRAM, SOCK_RAW].map(|it| vec![family(AF_NETLINK), kind(it), protocol(NETLINK_ROUTE)]),
    );
    cases
}

/// All numbers of 32 bits but these, as runs that have their first bits in common: there is no comparison for "none of".
fn all_but(index: u32, these: &[u32]) -> Vec<Vec<Bits>> {
    let mut cases = Vec::new();
    let mut runs = vec![(0_u32, 32_u32)];
    while let Some((first, free)) = runs.pop() {
        let mask = if free == 32 { 0 } else { u32::MAX << free };
        match these.iter().filter(|it| *it & mask == first).count() {
            0 => cases.push(vec![(index, mask.into(), first.into())]),
            _ if free == 0 => {}
            _ => runs.extend([(first | 1 << (free - 1), free - 1), (first, free - 1)]),
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the profile says to a call, as the specification has it: the first entry whose name and arguments fit.
    fn answer(name: &str, arguments: [u64; 4]) -> i64 {
        let profile = profile();
        let fits = |entry: &&Value| {
            let named = entry["names"].as_array().unwrap().iter().any(|it| it == name);
            let arguments = entry["args"].as_array().into_iter().flatten().all(|it| {
                let number = |member: &str| it[member].as_u64().unwrap();
                arguments[number("index") as usize] & number("value") == number("valueTwo")
            });
            named && arguments
        };
        match profile["syscalls"].as_array().unwrap().iter().find(fits) {
            None => profile["defaultErrnoRet"].as_i64().unwrap(),
            Some(entry) if entry["action"] == "SCMP_ACT_ALLOW" => 0,
            Some(entry) => entry["errnoRet"].as_i64().unwrap(),
        }
    }

    #[test]
    fn what_the_table_allows_is_allowed_and_what_it_refuses_is_not() {
        for (name, expected) in
            [("read", 0), ("execve", 0), ("mount", EPERM), ("bpf", EPERM), ("clone3", ENOSYS), ("vserver", ENOSYS)]
        {
            assert_eq!(answer(name, [0; 4]), i64::from(expected), "{name}");
        }
        let of = |value: i32| u64::from(value as u32);
        for (name, arguments, allowed) in [
            ("socket", [of(AF_INET), of(SOCK_STREAM | SOCK_CLOEXEC), 0, 0], true),
            ("socket", [of(AF_INET), of(SOCK_RAW), 0, 0], false),
            ("socket", [of(AF_INET), of(SOCK_STREAM), of(IPPROTO_SCTP), 0], false),
            ("socket", [of(AF_PACKET), of(SOCK_RAW), 0, 0], false),
            ("socket", [of(AF_VSOCK), of(SOCK_STREAM), 0, 0], false),
            ("socket", [of(AF_UNIX), of(SOCK_SEQPACKET), 0, 0], true),
            ("socket", [of(AF_NETLINK), of(SOCK_RAW), of(NETLINK_ROUTE), 0], true),
            ("socket", [of(AF_NETLINK), of(SOCK_RAW), of(NETLINK_NETFILTER), 0], false),
            // The kernel does not look at the upper half.
            ("ioctl", [0, 0x1_0000_5412, 0, 0], false),
            ("ioctl", [0, 0x5413, 0, 0], true),
            ("ioctl", [0, u64::from(u32::MAX), 0, 0], true),
            ("clone", [of(SIGCHLD), 0, 0, 0], true),
            ("clone", [of(SIGCHLD | CLONE_NEWNET), 0, 0, 0], false),
            ("fcntl", [0, of(F_GETFD), 0, 0], true),
            ("fcntl", [0, of(F_SETLEASE), 0, 0], false),
            ("openat", [0, 0, of(O_CREAT), 0o644], true),
            ("openat", [0, 0, of(O_CREAT), 0o4755], false),
            ("openat", [0, 0, 0, 0o4755], true),
            ("fchmod", [0, 0o2755, 0, 0], false),
            ("personality", [0xffff_ffff, 0, 0, 0], true),
            ("personality", [0x0400_0000, 0, 0, 0], false),
        ] {
            assert_eq!(answer(name, arguments) == 0, allowed, "{name} {arguments:x?}");
        }
    }

    #[test]
    fn what_the_table_forbids_by_arguments_is_said_here_too() {
        let here: Vec<i64> = by_arguments().into_iter().map(|(call, _)| call).collect();
        let forbidden = super::super::workload::filter().refused;
        // Those of bottle's own pid 1 are not the engine's.
        for (call, _) in forbidden.iter().filter(|(call, cases)| !cases.is_empty() && *call != SYS_prlimit64) {
            assert!(here.contains(call), "{call}");
        }
    }

    #[test]
    fn all_but_a_few_is_each_number_once_but_these() {
        let cases = all_but(1, &[5, 7]);
        for number in [0, 1, 4, 5, 6, 7, 8, 1 << 31, u64::from(u32::MAX)] {
            let fitting = cases.iter().filter(|case| number & case[0].1 == case[0].2).count();
            assert_eq!(fitting, usize::from(![5, 7].contains(&number)), "{number}");
        }
    }
}
