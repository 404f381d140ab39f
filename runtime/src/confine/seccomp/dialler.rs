//! Which system calls may the dialler make? An event loop's, sockets of the internet families, and reading resolver files.

use super::{Allow, Argument, Filters, SeccompError, filters, helper};

/// Compiles the dialler's table. Which files it may open is Landlock's to say.
pub fn dialler() -> Result<Filters, SeccompError> {
    let mut allowed = helper::event_loop();
    let calls = [
        // A resolver binds its sockets to a port of chance; nothing ever listens or accepts.
        libc::SYS_bind,
        libc::SYS_connect,
        libc::SYS_getdents64,
        libc::SYS_newfstatat,
        libc::SYS_statx,
    ];
    allowed.extend(calls.map(Allow::Always));
    allowed.push(Allow::When(libc::SYS_socket, internet_sockets()));
    allowed.push(Allow::When(libc::SYS_openat, vec![vec![Argument::Without(2, WRITES)]]));
    filters(allowed, &[])
}

const WRITES: u64 = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND) as u64;

fn internet_sockets() -> Vec<Vec<Argument>> {
    let families = [libc::AF_INET, libc::AF_INET6];
    let types = [libc::SOCK_STREAM, libc::SOCK_DGRAM];
    let pairs = families.into_iter().flat_map(|family| types.map(|kind| (family, kind)));
    pairs.map(|(family, kind)| vec![Argument::Is(0, family as u64), Argument::Masked(1, 0xff, kind as u64)]).collect()
}
