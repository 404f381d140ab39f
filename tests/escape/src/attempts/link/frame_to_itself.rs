//! Does a frame to the link's own hardware address get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "frame-to-itself",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a frame to the link's own hardware address to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = token.bytes().to_vec();
    link::transmit(tried, |link| link::ethernet(link.mac, link.mac, 0x88b5, &payload));
    Ok(())
}
