//! Does a frame that skips the queue get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "qdisc-bypass",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a frame to each link through AF_PACKET with PACKET_QDISC_BYPASS.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (packet_level, bypass) = (263, 20);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)) else { return Ok(()) };
    tried.call("PACKET_QDISC_BYPASS", sys::set(&socket, packet_level, bypass, &1_i32.to_ne_bytes()));
    link::transmit_on(&socket, tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes()));
    Ok(())
}
