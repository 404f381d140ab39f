//! Does a UDP datagram over IPv6 that the program wrote itself get out?

use std::net::SocketAddrV6;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::packet;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "raw6-udp",
    class: "transport",
    about: "Sends a UDP datagram over IPv6 that the program wrote itself through a raw IPv6 socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v6(SocketAddrV6::new(token.v6()?, 0, 0, 0));
    if let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_UDP)) {
        tried.call("send", sys::send_to(&socket, &packet::udp(9, 9, token.bytes()), &to));
    }
    Ok(())
}
