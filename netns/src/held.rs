//! Does anybody else hold a socket in the network namespace that this thread is in, around which an airlock was built?
//!
//! Whoever does may be outside of it, where no process, link or route shows: by an abstract unix name, netlink's port of a
//! user's, or a packet socket the container would have a way out. The kernel counts all sockets of a namespace, of whatever kind,
//! bound or not, and lists the usual kinds.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::stat::fstat;

use crate::sys::netns_cookie;

/// How long the kernel may take to count out a netlink socket that was closed, and the airlock's own to close what they opened: that is for later, and no event
/// tells of it. Nobody who builds or probes waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// How often in a row there must be none. The kernel counts on each processor and adds that up while it goes on: a socket that is opened on one and closed on another
/// meanwhile takes one off the sum.
const ENOUGH: u32 = 2;

/// How much of a list is read.
const MOST: u64 = 1 << 16;

/// How many are named.
const NAMED: usize = 4;

/// A list of the kernel's: its name, the kind of its sockets, and in which columns their address and their inode are.
type List = (&'static str, &'static str, usize, usize);

const NETLINK: List = ("netlink", "netlink socket of protocol", 1, 9);

const LISTS: [List; 11] = [
    ("unix", "unix socket", 7, 6),
    ("packet", "packet socket of protocol", 3, 8),
    NETLINK,
    ("tcp", "TCP socket at", 1, 9),
    ("tcp6", "TCP socket at", 1, 9),
    ("udp", "UDP socket at", 1, 9),
    ("udp6", "UDP socket at", 1, 9),
    ("raw", "raw socket at", 1, 9),
    ("raw6", "raw socket at", 1, 9),
    ("icmp", "ping socket at", 1, 9),
    ("icmp6", "ping socket at", 1, 9),
];

/// NETLINK_ROUTE. Docker keeps a socket of it in each container's network. It leads to the kernel: from one process to another its messages take CAP_NET_ADMIN over the
/// namespace (NL_CFG_F_NONROOT_SEND in the kernel's netlink_sendmsg), which is refused to containers.
const ROUTE: &str = "0";

/// Inodes of sockets.
type Inodes = HashSet<u64>;

/// All but those among `own`, in words, or nothing where there are no others. `own` are descriptors that are held meanwhile, of whatever kind, and `namespace` is the
/// cookie of the namespace. Others of the airlock's may open sockets there and close them again: at one moment there must be none
/// but these.
///
/// # Errors
/// What the kernel says when it is asked, or that it counts fewer than are held.
pub fn sockets(namespace: u64, own: &[BorrowedFd<'_>]) -> io::Result<Vec<String>> {
    let own = inodes(namespace, own)?;
    let begun = Instant::now();
    let mut none = 0;
    let count = loop {
        let count = leading_out(&own)?;
        none = if count == Some(0) { none + 1 } else { 0 };
        match count {
            Some(0) if none == ENOUGH => return Ok(Vec::new()),
            Some(0) => {}
            _ if begun.elapsed() < PATIENCE => sleep(PAUSE),
            _ => break count.ok_or(io::ErrorKind::InvalidData)?,
        }
    };
    // Not before: for a list the kernel goes through its tables of all namespaces, which takes milliseconds.
    let listed = listed(&own)?;
    Ok(match listed.is_empty() {
        true => vec![format!("{count} of a kind, or in a state, that is not listed")],
        false => shortened(listed),
    })
}

/// Those that are sockets of this namespace.
fn inodes(namespace: u64, descriptors: &[BorrowedFd<'_>]) -> io::Result<Inodes> {
    let mut inodes = Inodes::new();
    for descriptor in descriptors {
        match netns_cookie(descriptor) {
            Ok(cookie) if cookie == namespace => drop(inodes.insert(fstat(descriptor.as_fd())?.st_ino)),
            Ok(_) | Err(Errno::ENOTSOCK) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(inodes)
}

/// How many others there are that may lead out. Nothing where the sum is less than what is held.
fn leading_out(own: &Inodes) -> io::Result<Option<u64>> {
    let before = of_routes(&read(NETLINK.0)?);
    let others = match counted(&read("sockstat")?)?.checked_sub(own.len() as u64) {
        none @ (None | Some(0)) => return Ok(none),
        Some(others) => others,
    };
    // Those that were there before and after were there when all were counted.
    let after = of_routes(&read(NETLINK.0)?);
    let passed = before.intersection(&after).filter(|inode| !own.contains(inode)).count();
    Ok(Some(others.saturating_sub(passed as u64)))
}

/// Its beginning is enough to name some.
fn read(name: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/thread-self/net/{name}"))?.take(MOST).read_to_end(&mut bytes)?;
    // A name of a unix socket is any bytes.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How many sockets there are.
fn counted(sockstat: &str) -> io::Result<u64> {
    let count = sockstat.lines().find_map(|line| line.strip_prefix("sockets: used "));
    count.and_then(|count| count.trim().parse().ok()).ok_or(io::ErrorKind::InvalidData.into())
}

fn listed(own: &Inodes) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    for list in LISTS {
        match read(list.0) {
            Ok(lines) => all.extend(lines.lines().skip(1).filter_map(|line| socket(list, line, own))),
            // The kernel has no such sockets.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Which netlink sockets of processes are of [`ROUTE`].
fn of_routes(netlink: &str) -> Inodes {
    let of_routes = |line: &&str| matches!(netlink_socket(line), Some((ROUTE, port)) if port != KERNEL);
    netlink.lines().skip(1).filter(of_routes).filter_map(|line| inode(NETLINK, line)).collect()
}

/// The port of the kernel's own.
const KERNEL: &str = "0";

/// Its protocol and port.
fn netlink_socket(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    words.next().zip(words.next())
}

fn inode((_, _, _, column): List, line: &str) -> Option<u64> {
    line.split_ascii_whitespace().nth(column)?.parse().ok()
}

/// A line in words; nothing for one of the airlock's or of the kernel's own, nor for one of [`ROUTE`].
fn socket(list: List, line: &str, own: &Inodes) -> Option<String> {
    let (name, kind, address, _) = list;
    let passed = |(protocol, port)| protocol == ROUTE || port == KERNEL;
    // Nobody has the end of a connection that is over, which has no inode any more.
    if inode(list, line).is_some_and(|inode| inode == 0 || own.contains(&inode))
        || name == NETLINK.0 && netlink_socket(line).is_some_and(passed)
    {
        return None;
    }
    let address = line.split_ascii_whitespace().nth(address);
    let address = address.map_or("no name".to_owned(), |address| address.escape_default().to_string());
    Some(format!("{kind} {address}"))
}

fn shortened(mut listed: Vec<String>) -> Vec<String> {
    let more = listed.len().saturating_sub(NAMED);
    listed.truncate(NAMED);
    listed.extend((more > 0).then(|| format!("at least {more} more")));
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sockets_are_counted_and_no_count_is_no_answer() {
        assert_eq!(counted("sockets: used 3\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\n").unwrap(), 3);
        for unread in ["", "TCP: inuse 0\n", "sockets: used many\n"] {
            assert!(counted(unread).is_err(), "{unread}");
        }
    }

    #[test]
    fn a_line_is_told_in_words_and_the_airlocks_and_the_kernels_own_sockets_are_nobodys() {
        let none = Inodes::new();
        let [unix_sockets, netlink_sockets] = [LISTS[0], NETLINK];
        let unix = "00000000a9685a2d: 00000002 00000000 00010000 0001 01 1711 @way\u{fffd}out";
        assert_eq!(socket(unix_sockets, unix, &none).unwrap(), r"unix socket @way\u{fffd}out");
        assert_eq!(socket(unix_sockets, unix, &Inodes::from([1711])), None);
        let unnamed = "00000000a9685a2d: 00000002 00000000 00000000 0001 01 1711";
        assert_eq!(socket(unix_sockets, unnamed, &none).unwrap(), "unix socket no name");
        let kernels = "00000000f1c353ae 0   0          00000000 0        0        0     2        0        4       ";
        assert_eq!(socket(netlink_sockets, kernels, &none), None);
        let users = "00000000f1c353ae 2   411        00000000 0        0        0     2        0        5       ";
        assert_eq!(socket(netlink_sockets, users, &none).unwrap(), "netlink socket of protocol 2");
        assert_eq!(socket(netlink_sockets, users, &Inodes::from([5])), None);
        let routes = "00000000f1c353ae 0   411        00000000 0        0        0     2        0        6       ";
        assert_eq!(socket(netlink_sockets, routes, &none), None);
        let over = "3: 0200001C:E150 FEFF001C:0035 06 00000000:00000000 03:000016D4 00000000     0        0 0 3 0";
        assert_eq!(socket(LISTS[3], over, &none), None);
        let list = ["sk Eth Pid", kernels, users, routes, "", "one"].join("\n");
        assert_eq!(of_routes(&list), Inodes::from([6]));
        assert_eq!(shortened(vec!["one".into(); 6]), ["one", "one", "one", "one", "at least 2 more"]);
    }
}
