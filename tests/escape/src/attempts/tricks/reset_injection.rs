//! Does data in a reset get out?

use std::net::SocketAddrV4;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::link;
use crate::packet::{self, Ipv4, flags};
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "reset-injection",
    class: "tricks",
    about: "Sends a TCP reset with data in it, through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)) else {
        return Ok(());
    };
    let from = link::source_v4(address);
    let segment = packet::tcp(SocketAddrV4::new(from, 9), SocketAddrV4::new(address, 9), flags::RST, token.bytes());
    tried.call("send", sys::send_to(&socket, &Ipv4::new(6, from, address).with(&segment), &sys::v4(address, 0)));
    Ok(())
}
