//! Does a UDP datagram that the program wrote itself get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::packet;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "udp-raw",
    class: "transport",
    severity: Severity::Critical,
    about: "Sends a UDP datagram that the program wrote itself through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 0);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_UDP)) else {
        return Ok(());
    };
    tried.call("send", sys::send_to(&socket, &packet::udp(9, 9, token.bytes()), &to));
    Ok(())
}
