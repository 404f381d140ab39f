//! Does the highest TCP port lead out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "tcp-highest-port",
    class: "scan",
    surface: "decision:deny/literal-address",
    about: "Connects to TCP port 65535 of an address without a name and sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = (token.v4()?, 65535).into();
    tried.call("connect and send", wire::deliver(to, token.bytes()));
    Ok(())
}
