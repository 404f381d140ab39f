//! Does a PPPoE discovery frame get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "pppoe",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a PPPoE discovery frame to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = [&[0x11, 9, 0, 0, 0, 32, 1, 3, 0, 28][..], token.bytes()].concat();
    link::transmit(tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x8863, &payload));
    Ok(())
}
