//! How large are the host's objects for messages, and how is one opened by name?

use std::io;
use std::os::fd::OwnedFd;

use crate::sys::{self, Arg};

/// As many semaphores as a token has letters.
pub(crate) const SEMAPHORES: u64 = crate::token::LENGTH as u64;
/// The bytes of the segment of memory.
pub(crate) const MEMORY: usize = 4096;

/// Opens a POSIX message queue by its name, which has no slash; the host's is made.
pub(crate) fn open(name: &str, make: bool) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NONBLOCK | if make { libc::O_CREAT | libc::O_EXCL } else { 0 };
    let name = format!("{name}\0");
    let [flags, mode, limits] = [flags as u64, 0o666, 0].map(Arg::Number);
    let queue = sys::owned(sys::call(libc::SYS_mq_open, &mut [Arg::In(name.as_bytes()), flags, mode, limits])?)?;
    if make {
        // Without what the mask took away.
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&queue) as u64;
        sys::call(libc::SYS_fchmod, &mut [descriptor, 0o666].map(Arg::Number))?;
    }
    Ok(queue)
}
