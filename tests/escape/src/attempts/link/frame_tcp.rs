//! Does a TCP segment in a frame, past the rules for output get out?

use std::net::SocketAddrV4;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::packet::{self, Ipv4, flags};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "frame-tcp",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a TCP segment in a frame, past the rules for output to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = {
        let (from, to) = (link::source_v4(token.v4()?), token.v4()?);
        let segment = packet::tcp(SocketAddrV4::new(from, 9), SocketAddrV4::new(to, 9), flags::SYN, token.bytes());
        Ipv4::new(6, from, to).with(&segment)
    };
    link::transmit(tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x0800, &payload));
    Ok(())
}
