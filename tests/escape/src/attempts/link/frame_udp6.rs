//! Does a UDP datagram over IPv6 in a frame get out?

use std::net::SocketAddrV6;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::packet;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "frame-udp6",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a UDP datagram over IPv6 in a frame to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = {
        let any = SocketAddrV6::new(token.v6()?, 9, 0, 0);
        packet::ipv6(17, *any.ip(), *any.ip(), &packet::udp6(any, any, token.bytes()))
    };
    link::transmit(tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x86dd, &payload));
    Ok(())
}
