//! Does a packet from an address that is not the sender's get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::packet::{self, Ipv4};
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "source-spoofing",
    class: "tricks",
    about: "Sends a datagram whose source is the marked address, through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)) else {
        return Ok(());
    };
    let whole = Ipv4::new(17, address, address).with(&packet::udp(9, 9, token.bytes()));
    tried.call("send", sys::send_to(&socket, &whole, &sys::v4(address, 0)));
    Ok(())
}
