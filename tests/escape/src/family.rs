//! What do several attempts share that try many families of sockets, or many processes?

use std::fs;
use std::path::{Path, PathBuf};

use crate::sys;
use crate::tried::Tried;

/// Opens a socket of a family in each kind, and sends to an address of zeroes.
pub(crate) fn send(tried: &mut Tried, family: u16, bytes: &[u8]) {
    let kinds = [
        ("stream", libc::SOCK_STREAM),
        ("datagram", libc::SOCK_DGRAM),
        ("raw", libc::SOCK_RAW),
        ("packet", libc::SOCK_SEQPACKET),
        ("reliable", libc::SOCK_RDM),
    ];
    let address = [&family.to_ne_bytes()[..], &[0; 30]].concat();
    for (name, kind) in kinds {
        let socket = sys::socket(family.into(), kind | libc::SOCK_NONBLOCK, 0);
        if let Some(socket) = tried.call(&format!("{name} socket"), socket) {
            tried.call("connect", sys::connect(&socket, &address));
            tried.call("send", sys::send_to(&socket, bytes, &address));
        }
    }
}

/// The ids of all processes that /proc shows.
pub(crate) fn ids() -> Vec<u64> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Their directories.
pub(crate) fn processes() -> Vec<PathBuf> {
    ids().into_iter().map(|id| PathBuf::from(format!("/proc/{id}"))).collect()
}

/// The process on the host that waits to be written to, if it is seen at all.
pub(crate) fn victims() -> Vec<u64> {
    let command = |id: &u64| fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    ids().into_iter().filter(|id| command(id).split(|byte| *byte == 0).nth(1) == Some(b"victim")).collect()
}

/// Where a process's environment lies in its memory, and how much of it is worth reading.
pub(crate) fn environment(process: &Path) -> Option<(u64, usize)> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // After the name, which may have anything in it, comes field 3.
    let fields: Vec<u64> =
        stat.rsplit_once(')')?.1.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let (start, end) = (*fields.get(50 - 3)?, *fields.get(51 - 3)?);
    (start != 0 && end > start).then(|| (start, (end - start).min(8192) as usize))
}
