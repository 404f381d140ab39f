//! Does a packet of a protocol that nobody uses get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

/// For experiments, says RFC 3692.
const PROTOCOL: i32 = 253;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "raw-ip",
    class: "transport",
    about: "Sends an IPv4 packet of protocol 253 through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 0);
    if let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, PROTOCOL)) {
        tried.call("send", sys::send_to(&socket, token.bytes(), &to));
    }
    Ok(())
}
