//! Does urgent data overtake the verdict?

use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "urgent-data",
    class: "tricks",
    surface: "decision:deny/literal-address",
    about: "Connects to an address without a name and sends out-of-band data.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(stream) = tried.call("connect", wire::connect(token.tcp()?)) else { return Ok(()) };
    let socket = OwnedFd::from(stream);
    let [descriptor, length, flags] =
        [socket.as_raw_fd() as usize, token.bytes().len(), libc::MSG_OOB as usize | libc::MSG_NOSIGNAL as usize]
            .map(|number| Arg::Number(number as u64));
    tried.call("send", sys::call(libc::SYS_sendto, &mut [descriptor, Arg::In(token.bytes()), length, flags]));
    Ok(())
}
