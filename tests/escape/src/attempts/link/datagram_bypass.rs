//! Does a datagram frame that skips the queue get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "datagram-bypass",
    class: "link",
    severity: Severity::Critical,
    about: "Sends without a header through an AF_PACKET datagram socket with PACKET_QDISC_BYPASS.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (packet_level, bypass) = (263, 20);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call("PACKET_QDISC_BYPASS", sys::set(&socket, packet_level, bypass, &1_i32.to_ne_bytes()));
    for link in link::all() {
        let address = link::address(&link, 0x88b5, link::EVERYBODY);
        tried.call(&format!("send on {}", link.name), sys::send_to(&socket, token.bytes(), &address));
    }
    Ok(())
}
