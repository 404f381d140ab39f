//! Does an IPv4 packet within an IPv4 packet get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::packet::Ipv4;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "ip-in-ip",
    class: "transport",
    about: "Sends an IPv4 packet within an IPv4 packet through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 0);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_IPIP)) else {
        return Ok(());
    };
    tried.call("send", sys::send_to(&socket, &Ipv4::new(17, token.v4()?, token.v4()?).with(token.bytes()), &to));
    Ok(())
}
