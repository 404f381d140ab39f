//! Does a datagram over IPv6 get out?

use std::net::UdpSocket;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "udp6-literal",
    class: "transport",
    severity: Severity::Critical,
    surface: "refused:udp6",
    about: "Sends a UDP datagram to an IPv6 address without a name.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = token.v6()?;
    if let Some(socket) = tried.call("socket", UdpSocket::bind("[::]:0")) {
        tried.call("send", socket.send_to(token.bytes(), (to, 9)));
    }
    Ok(())
}
