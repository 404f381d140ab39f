//! Does an EAPOL frame get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "eapol",
    class: "link",
    severity: Severity::Critical,
    about: "Writes an EAPOL frame to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = [&[1, 0, 0, 28][..], token.bytes()].concat();
    link::transmit(tried, |link| link::ethernet([1, 0x80, 0xc2, 0, 0, 3], link.mac, 0x888e, &payload));
    Ok(())
}
