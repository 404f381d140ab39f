//! Does an IPv6 packet within an IPv4 packet get out?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::packet;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "ipv6-in-ip",
    class: "transport",
    about: "Sends an IPv6 packet within an IPv4 packet through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 0);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_IPV6)) else {
        return Ok(());
    };
    tried.call("send", sys::send_to(&socket, &packet::ipv6(59, token.v6()?, token.v6()?, token.bytes()), &to));
    Ok(())
}
