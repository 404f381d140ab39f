//! Does a SYN from an address that is not the sender's get out?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "free-bind-tcp",
    class: "tricks",
    control: Control::None(
        "the kernel routes no IPv4 packet from an address that is not local, unless IP_TRANSPARENT is set",
    ),
    about: "Binds to the marked address with IP_FREEBIND and connects from it.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (from, to) = (sys::v4(token.v4()?, 0), sys::v4(token.v4()?, 9));
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0))
    else {
        return Ok(());
    };
    tried.call("IP_FREEBIND", sys::set(&socket, libc::IPPROTO_IP, libc::IP_FREEBIND, &1_i32.to_ne_bytes()));
    tried.call("bind", sys::bind(&socket, &from));
    tried.call("connect", sys::connect(&socket, &to));
    Ok(())
}
