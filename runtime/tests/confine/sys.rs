//! Which errors do system calls give, named by their numbers? The one place of `unsafe` in these tests.

use rustix::io::Errno;

/// Makes a system call with integers or null pointers for arguments.
pub(crate) fn call(number: i64, arguments: [u64; 6]) -> Result<i64, Errno> {
    raw(number, arguments)
}

/// The same with the address of a text for the argument at an index.
pub(crate) fn call_with_path(
    number: i64,
    mut arguments: [u64; 6],
    index: usize,
    path: &std::ffi::CStr,
) -> Result<i64, Errno> {
    arguments[index] = path.as_ptr() as u64;
    raw(number, arguments)
}

fn raw(number: i64, [a, b, c, d, e, f]: [u64; 6]) -> Result<i64, Errno> {
    // SAFETY: callers pass integers, null, or the address of a live C string; no call that is tried here takes over
    // or writes memory of this process through such arguments.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result < 0 { Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap()) } else { Ok(result) }
}
