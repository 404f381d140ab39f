//! Does the address of one allowed name lead to where only another is allowed?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "lease-of-another-name",
    class: "tricks",
    surface: "decision:deny/port-not-allowed",
    about: "Connects to the address of a name that is allowed for port 80, on port 443.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let other = wire::place(&format!("{}:443", field.names()?.allowed_http));
    if let Some(place) = tried.call("resolve", other) {
        tried.call("connect and send", wire::deliver(place, token.bytes()));
    }
    Ok(())
}
