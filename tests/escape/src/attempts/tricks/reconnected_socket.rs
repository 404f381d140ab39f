//! Does a socket whose connection was allowed lead elsewhere afterwards?

use std::net::SocketAddr;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "reconnected-socket",
    class: "tricks",
    severity: Severity::Critical,
    surface: "decision:deny/literal-address",
    about: "Connects to an allowed name, dissolves that with AF_UNSPEC, and connects the same socket elsewhere.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let allowed = wire::place(&format!("{}:443", field.names()?.allowed));
    let to = sys::v4(token.v4()?, 9);
    let Some(SocketAddr::V4(allowed)) = tried.call("resolve", allowed) else { return Ok(()) };
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)) else { return Ok(()) };
    tried.call("connect", sys::connect(&socket, &sys::v4(*allowed.ip(), 443)));
    tried.call("dissolve", sys::connect(&socket, &[0; 16]));
    if tried.call("connect elsewhere", sys::connect(&socket, &to)).is_some() {
        tried.call("send", sys::send_to(&socket, token.bytes(), &[]));
    }
    Ok(())
}
