//! Does an MPLS frame get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "mpls",
    class: "link",
    severity: Severity::Critical,
    about: "Writes an MPLS frame to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = [&[0, 1, 1, 64][..], token.bytes()].concat();
    link::transmit(tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x8847, &payload));
    Ok(())
}
