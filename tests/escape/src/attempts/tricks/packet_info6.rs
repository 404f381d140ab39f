//! Does an IPv6 source that is named for one datagram only get out?

use std::net::SocketAddrV6;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "packet-info6",
    class: "tricks",
    surface: "refused:udp6",
    about: "Names the marked address as source with IPV6_PKTINFO and IPV6_FREEBIND.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v6(SocketAddrV6::new(token.v6()?, 9, 0, 0));
    let freebind = 78;
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET6, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call("IPV6_FREEBIND", sys::set(&socket, libc::IPPROTO_IPV6, freebind, &1_i32.to_ne_bytes()));
    let source = [&token.v6()?.octets()[..], &[0; 4]].concat();
    tried.call("send", sys::send_with(&socket, token.bytes(), &to, (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &source)));
    Ok(())
}
