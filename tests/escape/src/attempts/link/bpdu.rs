//! Does a spanning-tree frame get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "bpdu",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a spanning-tree frame to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = [&[0x42, 0x42, 3, 0, 0, 0, 0][..], token.bytes()].concat();
    link::transmit(tried, |link| link::ethernet([1, 0x80, 0xc2, 0, 0, 0], link.mac, 38, &payload));
    Ok(())
}
