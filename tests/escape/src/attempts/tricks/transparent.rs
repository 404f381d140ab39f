//! Does a connection from an address that is not the sender's get out, by IP_TRANSPARENT?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "transparent",
    class: "tricks",
    about: "Binds to the marked address with IP_TRANSPARENT and sends a datagram from it.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (from, to) = (sys::v4(token.v4()?, 9), sys::v4(token.v4()?, 9));
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    if tried
        .call("IP_TRANSPARENT", sys::set(&socket, libc::IPPROTO_IP, libc::IP_TRANSPARENT, &1_i32.to_ne_bytes()))
        .is_some()
    {
        tried.call("bind", sys::bind(&socket, &from));
        tried.call("send", sys::send_to(&socket, token.bytes(), &to));
    }
    Ok(())
}
