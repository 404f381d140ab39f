//! Does a frame with two VLAN tags get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "double-vlan",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a frame with two VLAN tags to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = [&[0, 42, 0x81, 0, 0, 43, 0x88, 0xb5][..], token.bytes()].concat();
    link::transmit(tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x88a8, &payload));
    Ok(())
}
