//! Does a datagram that the kernel must cut into fragments get out?

use std::net::UdpSocket;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "large-datagram",
    class: "tricks",
    surface: "refused:udp4",
    about: "Sends 60,000 bytes in one UDP datagram.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let large = token.bytes().repeat(2140);
    let to = token.udp()?;
    if let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0")) {
        tried.call("send", socket.send_to(&large, to));
    }
    Ok(())
}
