//! Does TCP port 0, which no server has, lead out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "tcp-port-zero",
    class: "scan",
    surface: "decision:deny/port-not-allowed",
    about: "Connects to TCP port 0 of an address without a name and sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = (token.v4()?, 0).into();
    tried.call("connect and send", wire::deliver(to, token.bytes()));
    Ok(())
}
