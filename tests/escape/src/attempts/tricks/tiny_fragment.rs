//! Does a fragment that is too small to show its ports get out?

use std::net::SocketAddrV4;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::link;
use crate::packet::{self, Ipv4, flags};
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "tiny-fragment",
    class: "tricks",
    about: "Sends a TCP segment in fragments, the first of which ends before the flags.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)) else {
        return Ok(());
    };
    let from = link::source_v4(address);
    let segment = packet::tcp(SocketAddrV4::new(from, 9), SocketAddrV4::new(address, 9), flags::SYN, token.bytes());
    for (at, part, more) in [(0, &segment[..8], 0x2000), (1, &segment[8..], 0)] {
        let whole = Ipv4 { fragment: at | more, ..Ipv4::new(6, from, address) }.with(part);
        tried.call("send", sys::send_to(&socket, &whole, &sys::v4(address, 0)));
    }
    Ok(())
}
