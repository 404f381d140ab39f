//! Does a neighbour of the program's own lead out?

use std::net::UdpSocket;

use crate::attempt::{Attempt, Company};
use crate::field::Field;
use crate::link;
use crate::netlink;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "neighbour-added",
    class: "network",
    surface: "refused:udp4",
    company: Company::Alone,
    about: "Names another hardware address for the marked address on each link, and sends a datagram there.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let Some(socket) = tried.call("netlink", netlink::routing()) else { return Ok(()) };
    for link in link::all() {
        let head = [&[2, 0, 0, 0][..], &link.index.to_ne_bytes(), &0x80_u16.to_ne_bytes(), &[0, 0]].concat();
        let attributes = [netlink::attribute(1, &address.octets()), netlink::attribute(2, &link::EVERYBODY)].concat();
        tried.call("add a neighbour", netlink::ask(&socket, libc::RTM_NEWNEIGH, &[head, attributes].concat()));
    }
    if let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0")) {
        tried.call("send", socket.send_to(token.bytes(), token.udp()?));
    }
    Ok(())
}
