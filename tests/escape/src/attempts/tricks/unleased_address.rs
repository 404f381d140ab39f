//! Does an address beside a leased one lead anywhere?

use std::net::{Ipv4Addr, SocketAddr};

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "unleased-address",
    class: "tricks",
    surface: "decision:deny/literal-address",
    about: "Connects to the address after the one that an allowed name has.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let allowed = wire::place(&format!("{}:443", field.names()?.allowed));
    let Some(SocketAddr::V4(allowed)) = tried.call("resolve", allowed) else { return Ok(()) };
    let beside = Ipv4Addr::from_bits(allowed.ip().to_bits() ^ 1);
    tried.call("connect and send", wire::deliver((beside, 443).into(), token.bytes()));
    Ok(())
}
