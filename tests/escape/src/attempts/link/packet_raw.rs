//! Does a whole frame of an ethertype for experiments get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "packet-raw",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a whole frame of an ethertype for experiments to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = token.bytes().to_vec();
    link::transmit(tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x88b6, &payload));
    Ok(())
}
