//! Do fragments that overwrite each other get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::link;
use crate::packet::{self, Ipv4};
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "overlapping-fragments",
    class: "tricks",
    about: "Sends a datagram in fragments that overlap, so that the ports read last are other ones.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)) else {
        return Ok(());
    };
    let from = link::source_v4(address);
    let datagram = packet::udp(9, 53, token.bytes());
    let other = packet::udp(9, 9, token.bytes());
    for (at, part, more) in [(0, &datagram[..24], 0x2000), (0, &other[..24], 0x2000), (3, &datagram[24..], 0)] {
        let whole = Ipv4 { fragment: at | more, ..Ipv4::new(17, from, address) }.with(part);
        tried.call("send", sys::send_to(&socket, &whole, &sys::v4(address, 0)));
    }
    Ok(())
}
