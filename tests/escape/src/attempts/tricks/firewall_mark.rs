//! Does a mark on packets lead around the rules?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "firewall-mark",
    class: "tricks",
    surface: "refused:udp4",
    about: "Sets SO_MARK, which routes and rules look at, and sends a datagram.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    for mark in [1_u32, 0x8000, u32::MAX] {
        let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
        tried.call("SO_MARK", sys::set(&socket, libc::SOL_SOCKET, libc::SO_MARK, &mark.to_ne_bytes()));
        tried.call("send", sys::send_to(&socket, token.bytes(), &to));
    }
    Ok(())
}
