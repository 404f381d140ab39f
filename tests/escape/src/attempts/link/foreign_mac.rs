//! Does a frame with a hardware address that is not the link's own get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "foreign-mac",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a frame with a hardware address that is not the link's own to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = token.bytes().to_vec();
    link::transmit(tried, |_| link::ethernet(link::EVERYBODY, [2, 0xde, 0xad, 0xbe, 0xef, 1], 0x88b5, &payload));
    Ok(())
}
