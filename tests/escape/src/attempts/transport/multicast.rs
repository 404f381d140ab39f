//! Does a multicast datagram get out?

use std::net::UdpSocket;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "multicast",
    class: "transport",
    surface: "refused:udp4",
    about: "Sends a UDP datagram to a multicast group.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = (token.group()?, 9);
    let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0")) else { return Ok(()) };
    tried.call("hops", socket.set_multicast_ttl_v4(64));
    tried.call("send", socket.send_to(token.bytes(), to));
    Ok(())
}
