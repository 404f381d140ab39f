//! Does a datagram with one hop to live get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "control-ttl",
    class: "tricks",
    surface: "refused:udp4",
    about: "Sends a datagram with IP_TTL 1 as a control message.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call(
        "send",
        sys::send_with(&socket, token.bytes(), &to, (libc::IPPROTO_IP, libc::IP_TTL, &1_i32.to_ne_bytes())),
    );
    Ok(())
}
