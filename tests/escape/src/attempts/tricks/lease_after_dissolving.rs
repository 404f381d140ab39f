//! Does an address that was leased once lead anywhere for other data?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "lease-after-dissolving",
    class: "tricks",
    surface: "decision:deny/not-tls",
    about: "Connects to an allowed name twice, and sends what is no TLS the second time.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let allowed = wire::place(&format!("{}:443", field.names()?.allowed));
    let Some(place) = tried.call("resolve", allowed) else { return Ok(()) };
    tried.call("connect", wire::connect(place).map(drop));
    tried.call("connect and send", wire::deliver(place, token.bytes()));
    Ok(())
}
