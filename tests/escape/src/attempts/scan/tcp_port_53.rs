//! Does the port that is diverted to the sinkhole lead out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "tcp-port-53",
    class: "scan",
    surface: "none",
    about: "Connects to TCP port 53 of an address without a name and sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = (token.v4()?, 53).into();
    tried.call("connect and send", wire::deliver(to, token.bytes()));
    Ok(())
}
