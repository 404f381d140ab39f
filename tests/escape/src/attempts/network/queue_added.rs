//! Does a queueing discipline of the program's own lead out?

use std::net::UdpSocket;

use crate::attempt::{Attempt, Company};
use crate::field::Field;
use crate::link;
use crate::netlink;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "queue-added",
    class: "network",
    surface: "refused:udp4",
    company: Company::Alone,
    about: "Adds a hook for traffic control to each link, and sends a datagram.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(socket) = tried.call("netlink", netlink::routing()) else { return Ok(()) };
    for link in link::all() {
        let head = [
            &[0; 4][..],
            &link.index.to_ne_bytes(),
            &0xffff_0000_u32.to_ne_bytes(),
            &0xffff_fff1_u32.to_ne_bytes(),
            &[0; 4],
        ]
        .concat();
        let body = [head, netlink::attribute(1, b"clsact\0")].concat();
        tried.call("add clsact", netlink::ask(&socket, libc::RTM_NEWQDISC, &body));
        tried.call("remove it", netlink::ask(&socket, libc::RTM_DELQDISC, &body));
    }
    if let Some(socket) = tried.call("socket", UdpSocket::bind("0.0.0.0:0")) {
        tried.call("send", socket.send_to(token.bytes(), token.udp()?));
    }
    Ok(())
}
