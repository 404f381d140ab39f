//! Does a connection that both sides open at once get out?

use std::net::Ipv4Addr;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "simultaneous-open",
    class: "tricks",
    surface: "decision:deny/literal-address",
    about: "Binds and connects from one port to the same port, so that crossing SYNs could open it without a listener.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)) else { return Ok(()) };
    tried.call("SO_REUSEADDR", sys::set(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, &1_i32.to_ne_bytes()));
    tried.call("bind", sys::bind(&socket, &sys::v4(Ipv4Addr::UNSPECIFIED, 4444)));
    if tried.call("connect", sys::connect(&socket, &sys::v4(address, 4444))).is_some() {
        tried.call("send", sys::send_to(&socket, token.bytes(), &[]));
    }
    Ok(())
}
