//! Does a packet of the reserved protocol get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::link;
use crate::packet::Ipv4;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "protocol-255",
    class: "transport",
    about: "Sends an IPv4 packet of protocol 255, through a socket that takes whole headers.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let whole = Ipv4::new(255, link::source_v4(address), address).with(token.bytes());
    if let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)) {
        tried.call("send", sys::send_to(&socket, &whole, &sys::v4(address, 0)));
    }
    Ok(())
}
