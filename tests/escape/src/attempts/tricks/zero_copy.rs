//! Does data that is sent without copying get out?

use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "zero-copy",
    class: "tricks",
    surface: "decision:deny/literal-address",
    about: "Connects to an address without a name and sends with MSG_ZEROCOPY.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(stream) = tried.call("connect", wire::connect(token.tcp()?)) else { return Ok(()) };
    let (socket, zero_copy) = (OwnedFd::from(stream), 60);
    tried.call("SO_ZEROCOPY", sys::set(&socket, libc::SOL_SOCKET, zero_copy, &1_i32.to_ne_bytes()));
    let [descriptor, length, flags] =
        [socket.as_raw_fd() as usize, token.bytes().len(), libc::MSG_ZEROCOPY as usize | libc::MSG_NOSIGNAL as usize]
            .map(|number| Arg::Number(number as u64));
    tried.call("send", sys::call(libc::SYS_sendto, &mut [descriptor, Arg::In(token.bytes()), length, flags]));
    Ok(())
}
