//! Does binding to the loopback link lead around the rules?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "bind-to-loopback",
    class: "tricks",
    control: Control::None("what is sent to the loopback link stays there"),
    about: "Binds a socket to the loopback link, where everything is accepted, and sends a datagram to an address outside.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call("SO_BINDTODEVICE", sys::set(&socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, b"lo\0"));
    tried.call("send", sys::send_to(&socket, token.bytes(), &to));
    Ok(())
}
