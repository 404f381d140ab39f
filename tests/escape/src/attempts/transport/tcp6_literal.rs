//! Does a connection over IPv6 to an address that nobody named get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "tcp6-literal",
    class: "transport",
    severity: Severity::Critical,
    surface: "decision:deny/literal-address",
    about: "Connects over TCP to an IPv6 address without a name and sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call("connect and send", wire::deliver((token.v6()?, 9).into(), token.bytes()));
    Ok(())
}
