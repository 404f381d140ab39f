//! Does a socket of shared memory communications fall back to TCP?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "smc",
    class: "families",
    control: Control::Perhaps("not every kernel has the family"),
    about: "Connects an AF_SMC socket, which falls back to TCP, and sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(socket) = tried.call("socket", sys::socket(43, libc::SOCK_STREAM, 0)) else { return Ok(()) };
    if tried.call("connect", sys::connect(&socket, &sys::v4(token.v4()?, 9))).is_some() {
        tried.call("send", sys::send_to(&socket, token.bytes(), &[]));
    }
    Ok(())
}
