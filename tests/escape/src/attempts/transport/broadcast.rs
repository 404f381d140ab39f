//! Does a broadcast datagram get out?

use std::net::{Ipv4Addr, UdpSocket};

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "broadcast",
    class: "transport",
    surface: "refused:udp4",
    about: "Sends a UDP datagram to everybody.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = (Ipv4Addr::BROADCAST, 9);
    let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0")) else { return Ok(()) };
    tried.call("SO_BROADCAST", socket.set_broadcast(true));
    tried.call("send", socket.send_to(token.bytes(), to));
    Ok(())
}
