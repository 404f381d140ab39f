//! What did a sandbox leave of the terminal that it was given? Flags and modes have no room for a token, so that a change is told under
//! the name of the one attempt that changes just these.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;

/// Of the open file: that reading does not wait, that writing goes to the end. Two, so that it is no sandbox's own doing.
pub(crate) const FLAGS: i32 = libc::O_NONBLOCK | libc::O_APPEND;
/// How long the kernel's own termios is, at the least, and where the modes for output and the local ones lie in it.
pub(crate) const MODES: usize = 64;
pub(crate) const OUTPUT: std::ops::Range<usize> = 4..8;
const LOCAL: std::ops::Range<usize> = 12..16;

/// What the terminal now does for others that it did not do before, by place.
pub(super) fn changed(terminal: BorrowedFd<'_>, field: &Field) -> Vec<(String, Vec<u8>)> {
    let by = |id: &str| Token::of(field, id, 0).bytes().to_vec();
    let mut seen = Vec::new();
    if flags(terminal).is_ok_and(|flags| flags & FLAGS == FLAGS) {
        seen.push(("the terminal's flags".to_owned(), by("terminal-flags")));
    }
    // A sandbox that has left it raw itself leaves no echo either.
    let is_stairs = |modes: [u8; MODES]| {
        let [output, local] = [OUTPUT, LOCAL].map(|range| number(&modes[range]));
        output & libc::OPOST == 0 && local & libc::ECHO != 0
    };
    if modes(terminal).is_ok_and(is_stairs) {
        seen.push(("the terminal's modes".to_owned(), by("terminal-modes")));
    }
    seen
}

/// The flags of the open file.
pub(crate) fn flags(terminal: BorrowedFd<'_>) -> io::Result<i32> {
    let numbers = [terminal.as_raw_fd() as u64, libc::F_GETFL as u64];
    sys::call(libc::SYS_fcntl, &mut numbers.map(Arg::Number)).map(|flags| flags as i32)
}

/// The modes, as the kernel has them.
pub(crate) fn modes(terminal: BorrowedFd<'_>) -> io::Result<[u8; MODES]> {
    let mut modes = [0; MODES];
    let descriptor = Arg::Number(terminal.as_raw_fd() as u64);
    sys::call(libc::SYS_ioctl, &mut [descriptor, Arg::Number(libc::TCGETS), Arg::Out(&mut modes)]).map(|_| modes)
}

/// One word of modes.
pub(crate) fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
