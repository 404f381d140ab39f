//! Does an LLDP frame get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "lldp",
    class: "link",
    severity: Severity::Critical,
    about: "Writes an LLDP frame to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = [&[0xfe, 32, 0, 0, 0, 0][..], token.bytes(), &[0, 0]].concat();
    link::transmit(tried, |link| link::ethernet([1, 0x80, 0xc2, 0, 0, 0x0e], link.mac, 0x88cc, &payload));
    Ok(())
}
