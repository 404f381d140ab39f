//! Does an IPv6 SYN from an address that is not the sender's get out?

use std::net::SocketAddrV6;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "free-bind-tcp6",
    class: "tricks",
    surface: "refused:spoofed",
    about: "Binds to the marked IPv6 address with IPV6_FREEBIND and connects from it.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v6()?;
    let (freebind, at) = (78, |port| sys::v6(SocketAddrV6::new(address, port, 0, 0)));
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0))
    else {
        return Ok(());
    };
    tried.call("IPV6_FREEBIND", sys::set(&socket, libc::IPPROTO_IPV6, freebind, &1_i32.to_ne_bytes()));
    tried.call("bind", sys::bind(&socket, &at(0)));
    tried.call("connect", sys::connect(&socket, &at(9)));
    Ok(())
}
