//! Does a socket of IEEE 802.15.4 lead anywhere?

use crate::attempt::{Attempt, Control, Severity};
use crate::family;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "ieee802154",
    class: "families",
    severity: Severity::Medium,
    control: Control::Perhaps("not every kernel has the family, and a machine needs such a network"),
    about: "Opens sockets of IEEE 802.15.4 (family 36) in each kind, and sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    family::send(tried, 36, token.bytes());
    Ok(())
}
