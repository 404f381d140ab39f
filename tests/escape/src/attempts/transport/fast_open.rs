//! Does data in the first packet of a connection get out?

use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "fast-open",
    class: "transport",
    severity: Severity::Critical,
    surface: "decision:deny/literal-address",
    about: "Sends with MSG_FASTOPEN, with data in the SYN if the kernel lets it.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (no_cookie, to) = (34, sys::v4(token.v4()?, 9));
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)) else { return Ok(()) };
    tried.call("TCP_FASTOPEN_NO_COOKIE", sys::set(&socket, libc::IPPROTO_TCP, no_cookie, &1_i32.to_ne_bytes()));
    let [descriptor, length, flags, size] =
        [socket.as_raw_fd() as usize, token.bytes().len(), libc::MSG_FASTOPEN as usize, to.len()]
            .map(|number| Arg::Number(number as u64));
    tried.call(
        "send",
        sys::call(libc::SYS_sendto, &mut [descriptor, Arg::In(token.bytes()), length, flags, Arg::In(&to), size]),
    );
    Ok(())
}
