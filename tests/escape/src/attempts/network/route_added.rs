//! Does a route of the program's own lead out?

use std::net::UdpSocket;

use crate::attempt::{Attempt, Company};
use crate::field::Field;
use crate::link;
use crate::netlink;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "route-added",
    class: "network",
    surface: "refused:udp4",
    company: Company::Alone,
    about: "Adds a route to the marked address over each link, and sends a datagram there.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let Some(socket) = tried.call("netlink", netlink::routing()) else { return Ok(()) };
    for link in link::all() {
        let head = [2, 32, 0, 0, 254, 3, 253, 1, 0, 0, 0, 0];
        let attributes =
            [netlink::attribute(1, &address.octets()), netlink::attribute(4, &link.index.to_ne_bytes())].concat();
        tried.call("add a route", netlink::ask(&socket, libc::RTM_NEWROUTE, &[&head[..], &attributes].concat()));
        tried.call("remove it", netlink::ask(&socket, libc::RTM_DELROUTE, &[&head[..], &attributes].concat()));
    }
    if let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0")) {
        tried.call("send", socket.send_to(token.bytes(), token.udp()?));
    }
    Ok(())
}
