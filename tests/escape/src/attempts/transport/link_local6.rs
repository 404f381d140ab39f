//! Does a datagram to a neighbour's link-local address get out?

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "link-local6",
    class: "transport",
    surface: "refused:udp6",
    control: Control::None("neighbours are sought first, and nobody there has such an address"),
    about: "Sends a UDP datagram to a link-local IPv6 address on each link.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(socket) = tried.call("socket", UdpSocket::bind("[::]:0")) else { return Ok(()) };
    for link in link::all() {
        let near = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, token.number());
        tried.call(
            &format!("send on {}", link.name),
            socket.send_to(token.bytes(), SocketAddrV6::new(near, 9, 0, link.index)),
        );
    }
    Ok(())
}
