//! Which system calls does this crate make that no safe wrapper covers?
//!
//! The only file of the crate with `unsafe` code.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// `SO_NETNS_COOKIE`: asm-generic/socket.h; the libc crate has it only for other architectures.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// Sets an integer socket option.
pub(crate) fn set_option(
    socket: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> Result<(), Errno> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open for the call, and the pointer and length describe `value`, which
    // outlives it.
    let result =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), length) };
    Errno::result(result).map(drop)
}

/// The cookie of the network namespace that this socket belongs to.
pub(crate) fn netns_cookie(socket: impl AsFd) -> Result<u64, Errno> {
    let mut value = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the descriptor is open for the call, and the pointers describe `value` and `length`, which
    // outlive it; the kernel writes at most `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| value)
}

/// The cookie of a socket: unique for each since boot, never used again.
pub(crate) fn socket_cookie(socket: impl AsFd) -> Result<u64, Errno> {
    let mut value = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the descriptor is open for the call, and the pointers describe `value` and `length`, which
    // outlive it; the kernel writes at most `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_COOKIE,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| value)
}

/// Lets a socket take only what a classic BPF program takes.
pub(crate) fn attach_filter(socket: impl AsFd, program: &[libc::sock_filter]) -> Result<(), Errno> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the descriptor is open for the call, and the pointer and length describe `program`, whose own pointer and
    // length describe the slice; both outlive the call, which copies the program and does not write to it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop)
}

/// Opens the user namespace that owns a namespace.
pub(crate) fn owning_user_namespace(namespace: impl AsFd) -> Result<OwnedFd, Errno> {
    // SAFETY: the descriptor is open for the call; NS_GET_USERNS takes no argument.
    let raw = unsafe { libc::ioctl(namespace.as_fd().as_raw_fd(), libc::NS_GET_USERNS) };
    let raw = Errno::result(raw)?;
    // SAFETY: the kernel has just returned this descriptor to us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
