//! Does a lookup from an address that is not the sender's get out?

use std::net::IpAddr;

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "free-bind-dns",
    class: "tricks",
    control: Control::None(
        "the kernel routes no IPv4 packet from an address that is not local, unless IP_TRANSPARENT is set",
    ),
    about: "Binds to the marked address with IP_FREEBIND and asks a resolver from it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (from, to) = (sys::v4(token.v4()?, 0), field.foreign_resolver()?);
    let IpAddr::V4(resolver) = to.ip() else { return Ok(()) };
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call("IP_FREEBIND", sys::set(&socket, libc::IPPROTO_IP, libc::IP_FREEBIND, &1_i32.to_ne_bytes()));
    tried.call("bind", sys::bind(&socket, &from));
    let question = wire::question(token.number(), &token.name(field)?);
    tried.call("ask", sys::send_to(&socket, &question, &sys::v4(resolver, 53)));
    Ok(())
}
