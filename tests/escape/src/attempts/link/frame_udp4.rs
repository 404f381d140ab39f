//! Does a UDP datagram in a frame, past the rules for output get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::packet::{self, Ipv4};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "frame-udp4",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a UDP datagram in a frame, past the rules for output to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = Ipv4::new(17, link::source_v4(token.v4()?), token.v4()?).with(&packet::udp(9, 9, token.bytes()));
    link::transmit(tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x0800, &payload));
    Ok(())
}
