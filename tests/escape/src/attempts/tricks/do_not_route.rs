//! Does a datagram that skips the gateway get out?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "do-not-route",
    class: "tricks",
    control: Control::None("no marked address is on a link of the host's own"),
    about: "Sets SO_DONTROUTE and sends a datagram.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call("SO_DONTROUTE", sys::set(&socket, libc::SOL_SOCKET, libc::SO_DONTROUTE, &1_i32.to_ne_bytes()));
    tried.call("send", sys::send_to(&socket, token.bytes(), &to));
    Ok(())
}
