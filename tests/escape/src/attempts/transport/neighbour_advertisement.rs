//! Does a neighbour advertisement that claims an address of another get out?

use std::net::{Ipv6Addr, SocketAddrV6};

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "neighbour-advertisement",
    class: "transport",
    severity: Severity::Medium,
    about: "Sends a neighbour advertisement that claims an address of another on each link, through a raw IPv6 socket.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6)) else {
        return Ok(());
    };
    tried.call("hops", sys::set(&socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS, &255_i32.to_ne_bytes()));
    for link in link::all() {
        let to = sys::v6(SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 0, 0, link.index));
        tried.call(
            &format!("send on {}", link.name),
            sys::send_to(
                &socket,
                &[&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &token.v6()?.octets(), token.bytes()].concat(),
                &to,
            ),
        );
    }
    Ok(())
}
