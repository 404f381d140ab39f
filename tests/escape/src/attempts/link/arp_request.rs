//! Does an ARP request for a marked address get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "arp-request",
    class: "link",
    severity: Severity::Critical,
    about: "Writes an ARP request for a marked address to each link through AF_PACKET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let payload = [
        &[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1][..],
        &link::source_v4(token.v4()?).octets(),
        &[0; 6],
        &token.v4()?.octets(),
        token.bytes(),
    ]
    .concat();
    link::transmit(tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x0806, &payload));
    Ok(())
}
