//! What of the host's was the container handed, open? A socket that leads elsewhere would be a way out that no airlock is on.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::{Configuration, Refusal};
use crate::process;

/// What a container must not be handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherited {
    /// It can be connected elsewhere, on the host's network or to the host's names.
    Socket,
    /// Whoever else has it sees its modes change, and what is typed there is typed for them too.
    Device,
    /// From it all of the host's files can be opened.
    Directory,
}

impl std::fmt::Display for Inherited {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Inherited::Socket => "a socket of the host's that is no connected unix socket",
            Inherited::Device => "a device of the host's",
            Inherited::Directory => "a directory of the host's",
        })
    }
}

/// Standard input, output and error.
const STREAMS: u32 = 3;

/// What is refused of a first process's descriptors. What its engine's runtime has open for itself it closes before it executes
/// anything; nobody knows which these are, so that beyond the streams sockets alone are looked at: a runtime's own are connected
/// unix sockets. Among them is a pair for datagrams that conmon leaves open, which as a stream could be connected anew.
pub(super) fn by(pid: u32, configuration: &Configuration) -> io::Result<Vec<Refusal>> {
    let connected = connected(&process::text("/proc/self/net/unix")?);
    // An engine that makes a terminal puts it in the streams' place.
    let streams = if configuration.written.process.terminal { 0 } else { STREAMS };
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let what = match fs::metadata(&path) {
            // Closed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            about => judged(&about?, number, streams, &connected),
        };
        let named = || fs::read_link(&path).unwrap_or_default();
        found.extend(what.map(|what| Refusal::Inherited(number, what, named())));
    }
    Ok(found)
}

fn judged(about: &Metadata, number: u32, streams: u32, connected: &BTreeMap<u64, Pair>) -> Option<Inherited> {
    let (kind, is_stream) = (about.file_type(), number < streams);
    let is_device = kind.is_block_device() || kind.is_char_device() && !is_harmless(about.rdev());
    match () {
        () if kind.is_socket() => match connected.get(&about.ino()) {
            Some(Pair::ForGood) => None,
            Some(Pair::Datagrams) if number >= STREAMS => None,
            _ => Some(Inherited::Socket),
        },
        () if is_stream && is_device => Some(Inherited::Device),
        () if is_stream && kind.is_dir() => Some(Inherited::Directory),
        () => None,
    }
}

/// null, zero, full, random and urandom (linux, Documentation/admin-guide/devices.txt).
fn is_harmless(device: u64) -> bool {
    rustix::fs::major(device) == 1 && [3, 5, 7, 8, 9].contains(&rustix::fs::minor(device))
}

/// How two unix sockets are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    /// To one peer, and to no other: stream and seqpacket.
    ForGood,
    /// Until one is connected elsewhere.
    Datagrams,
}

/// The connected unix sockets of the engine's network namespace by inode number, from lines of `address: references protocol flags
/// type state inode path` (proc_pid_net(5)).
fn connected(table: &str) -> BTreeMap<u64, Pair> {
    let pair = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(4);
        let (kind, state, inode) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        let pair = match kind {
            "0001" | "0005" => Pair::ForGood,
            "0002" => Pair::Datagrams,
            _ => return None,
        };
        (state == "03").then_some((inode, pair))
    };
    table.lines().skip(1).filter_map(pair).collect()
}
