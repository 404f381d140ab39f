//! Does a multipath TCP socket get out?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "mptcp",
    class: "transport",
    control: Control::Perhaps("not every kernel has multipath TCP"),
    about: "Connects and sends over a multipath TCP socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP)) else {
        return Ok(());
    };
    if tried.call("connect", sys::connect(&socket, &to)).is_some() {
        tried.call("send", sys::send_to(&socket, token.bytes(), &[]));
    }
    Ok(())
}
