//! Does an IPv6 multicast datagram get out?

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};

use crate::attempt::Attempt;
use crate::field::Field;
use crate::link;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "multicast6",
    class: "transport",
    surface: "refused:udp6",
    about: "Sends a UDP datagram to all nodes of each link.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let Some(socket) = tried.call("socket", UdpSocket::bind("[::]:0")) else { return Ok(()) };
    for link in link::all() {
        tried.call(
            &format!("send on {}", link.name),
            socket.send_to(token.bytes(), SocketAddrV6::new(all_nodes, 9, 0, link.index)),
        );
    }
    Ok(())
}
