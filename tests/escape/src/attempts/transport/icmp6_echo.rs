//! Does an ICMPv6 echo request with data in it get out?

use std::net::SocketAddrV6;

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "icmp6-echo",
    class: "transport",
    about: "Sends an ICMPv6 echo request with data, through a raw socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v6(SocketAddrV6::new(token.v6()?, 0, 0, 0));
    // The kernel puts the checksum in.
    let message = [&[128, 0, 0, 0, 0, 1, 0, 1][..], token.bytes()].concat();
    if let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6)) {
        tried.call("send", sys::send_to(&socket, &message, &to));
    }
    Ok(())
}
