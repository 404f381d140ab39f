//! Does anybody hold a socket in the network namespace that this thread has just entered?
//!
//! Whoever does may be outside of it, where no process, link or route shows: by an abstract unix name, netlink's port of a
//! user's, or a packet socket the container would have a way out. The kernel counts all sockets of a namespace, of whatever kind,
//! bound or not, and lists the usual kinds.

use std::fs::File;
use std::io::{self, Read};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the kernel may take to count out a netlink socket that was closed: that is for later, and no event tells of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// How much of a list is read.
const MOST: u64 = 1 << 16;

/// How many are named.
const NAMED: usize = 4;

/// Where the kernel lists them, the kind, and in which column their address is.
const LISTS: [(&str, &str, usize); 11] = [
    ("unix", "unix socket", 7),
    ("packet", "packet socket of protocol", 3),
    ("netlink", "netlink socket of protocol", 1),
    ("tcp", "TCP socket at", 1),
    ("tcp6", "TCP socket at", 1),
    ("udp", "UDP socket at", 1),
    ("udp6", "UDP socket at", 1),
    ("raw", "raw socket at", 1),
    ("raw6", "raw socket at", 1),
    ("icmp", "ping socket at", 1),
    ("icmp6", "ping socket at", 1),
];

/// NETLINK_ROUTE. Docker keeps a socket of it in each container's network. It leads to the kernel: from one process to another its messages take CAP_NET_ADMIN over the
/// namespace (NL_CFG_F_NONROOT_SEND in the kernel's netlink_sendmsg), which is refused to containers.
const ROUTE: &str = "0";

/// All of them in words, or nothing where there is none. The calling thread has opened none here.
pub(crate) fn sockets() -> io::Result<Vec<String>> {
    let begun = Instant::now();
    let mut count = leading_out()?;
    while count > 0 && begun.elapsed() < PATIENCE {
        sleep(PAUSE);
        count = leading_out()?;
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    // Not before: for a list the kernel goes through its tables of all namespaces, which takes milliseconds.
    let listed = listed()?;
    Ok(match listed.is_empty() {
        true => vec![format!("{count} of a kind, or in a state, that is not listed")],
        false => shortened(listed),
    })
}

/// How many there are that may lead out.
fn leading_out() -> io::Result<u64> {
    let count = counted(&read("sockstat")?)?;
    Ok(if count == 0 { 0 } else { count.saturating_sub(of_routes(&read("netlink")?)) })
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

fn listed() -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    for (name, kind, column) in LISTS {
        match read(name) {
            Ok(list) => all.extend(list.lines().skip(1).filter_map(|line| socket(name, kind, column, line))),
            // The kernel has no such sockets.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// How many netlink sockets of processes are of [`ROUTE`].
fn of_routes(netlink: &str) -> u64 {
    let of_routes = |line: &&str| matches!(netlink_socket(line), Some((ROUTE, port)) if port != KERNEL);
    netlink.lines().skip(1).filter(of_routes).count() as u64
}

/// The port of the kernel's own.
const KERNEL: &str = "0";

/// Its protocol and port.
fn netlink_socket(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    words.next().zip(words.next())
}

/// A line in words; nothing for one of the kernel's own, nor for one of [`ROUTE`].
fn socket(name: &str, kind: &str, column: usize, line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    if name == "netlink" && netlink_socket(line).is_some_and(|(protocol, port)| protocol == ROUTE || port == KERNEL) {
        return None;
    }
    let address = words.get(column).map_or("no name".to_owned(), |address| address.escape_default().to_string());
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
    fn a_line_is_told_in_words_and_the_kernels_own_sockets_are_nobodys() {
        let unix = "00000000a9685a2d: 00000002 00000000 00010000 0001 01 1711 @way\u{fffd}out";
        assert_eq!(socket("unix", "unix socket", 7, unix).unwrap(), r"unix socket @way\u{fffd}out");
        let unnamed = "00000000a9685a2d: 00000002 00000000 00000000 0001 01 1711";
        assert_eq!(socket("unix", "unix socket", 7, unnamed).unwrap(), "unix socket no name");
        let kernels = "00000000f1c353ae 0   0          00000000 0        0        0     2        0        4       ";
        assert_eq!(socket("netlink", "netlink socket of protocol", 1, kernels), None);
        let users = "00000000f1c353ae 2   411        00000000 0        0        0     2        0        4       ";
        assert_eq!(socket("netlink", "netlink socket of protocol", 1, users).unwrap(), "netlink socket of protocol 2");
        let routes = "00000000f1c353ae 0   411        00000000 0        0        0     2        0        4       ";
        assert_eq!(socket("netlink", "netlink socket of protocol", 1, routes), None);
        let list = ["sk Eth Pid", kernels, users, routes, "", "one"].join("\n");
        assert_eq!(of_routes(&list), 1);
        assert_eq!(shortened(vec!["one".into(); 6]), ["one", "one", "one", "one", "at least 2 more"]);
    }
}
