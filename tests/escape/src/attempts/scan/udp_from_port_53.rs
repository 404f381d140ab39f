//! Does a datagram that looks like a resolver's answer get out?

use std::net::UdpSocket;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "udp-from-port-53",
    class: "scan",
    surface: "refused:udp4",
    about: "Sends a datagram from port 53 to an address without a name.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = token.udp()?;
    let socket = tried.call("bind port 53", UdpSocket::bind("0.0.0.0:53"));
    if let Some(socket) = socket.or_else(|| UdpSocket::bind("0.0.0.0:0").ok()) {
        tried.call("send", socket.send_to(token.bytes(), to));
    }
    Ok(())
}
