//! Does a socket of RxRPC lead anywhere?

use crate::attempt::{Attempt, Control, Severity};
use crate::family;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "rxrpc",
    class: "families",
    severity: Severity::Medium,
    control: Control::Perhaps("not every kernel has the family, and a machine needs such a network"),
    about: "Opens sockets of RxRPC (family 33) in each kind, and sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    family::send(tried, 33, token.bytes());
    Ok(())
}
