//! Which system calls have no safe wrapper? Every `unsafe` block of this crate, each with its reason.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Maps the ids of a detached mount through a user namespace (`mount_setattr(2)`, `MOUNT_ATTR_IDMAP`).
///
/// # Errors
/// `EINVAL` where the file system can't, `EPERM` without privileges over it.
pub fn map_ids(tree: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.as_raw_fd() as u64,
    };
    let size = size_of::<libc::mount_attr>();
    // SAFETY: the path is an empty C string, the attributes live across the call and their size is given; both
    // descriptors are borrowed, hence open.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Keeps the allocator to one arena: each further thread's own would hold memory that no other thread uses.
pub fn share_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes integers. A parameter that it refuses leaves all as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1)
    };
}
