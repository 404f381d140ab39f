//! Do calls through a ring, which no filter sees, get out?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::uring::Ring;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "io-uring",
    class: "families",
    severity: Severity::Critical,
    control: Control::Perhaps("not every kernel has io_uring, or lets everybody use it"),
    about: "Opens, connects and sends through io_uring instead of system calls.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(mut ring) = tried.call("set up", Ring::new()) else { return Ok(()) };
    let address = sys::v4(token.v4()?, 9);
    let socket = ring.call(45, libc::AF_INET, libc::SOCK_STREAM as u64, 0, 0);
    let Some(socket) = tried.call("socket", socket) else { return Ok(()) };
    tried.call("connect", ring.call(16, socket, address.len() as u64, address.as_ptr() as u64, 0));
    tried.call("send", ring.call(26, socket, 0, token.bytes().as_ptr() as u64, token.bytes().len() as u32));
    Ok(())
}
