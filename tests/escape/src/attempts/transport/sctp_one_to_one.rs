//! Does a one-to-one SCTP socket get out?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "sctp-one-to-one",
    class: "transport",
    control: Control::Perhaps("not every kernel has SCTP"),
    about: "Connects and sends over a one-to-one SCTP socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    let Some(socket) =
        tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, libc::IPPROTO_SCTP))
    else {
        return Ok(());
    };
    if tried.call("connect", sys::connect(&socket, &to)).is_some() {
        tried.call("send", sys::send_to(&socket, token.bytes(), &[]));
    }
    Ok(())
}
