//! Does a datagram with a loose source route get out?

use std::net::UdpSocket;
use std::os::fd::OwnedFd;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "source-route-udp",
    class: "tricks",
    surface: "refused:udp4",
    about: "Sends a datagram with a loose source route, with an option that any user may set.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (to, options) = (token.udp()?, [&[131, 7, 4][..], &token.v4()?.octets(), &[0]].concat());
    let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0").map(OwnedFd::from)) else { return Ok(()) };
    tried.call("IP_OPTIONS", sys::set(&socket, libc::IPPROTO_IP, libc::IP_OPTIONS, &options));
    tried.call("send", UdpSocket::from(socket).send_to(token.bytes(), to));
    Ok(())
}
