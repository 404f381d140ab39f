//! Does an address of the program's own lead out?

use std::net::UdpSocket;

use crate::attempt::{Attempt, Company};
use crate::field::Field;
use crate::link;
use crate::netlink;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "address-added",
    class: "network",
    company: Company::Alone,
    about: "Adds the marked address to each link, and sends a datagram from it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = token.v4()?;
    let to = field.foreign_resolver()?.ip();
    let Some(socket) = tried.call("netlink", netlink::routing()) else { return Ok(()) };
    for link in link::all() {
        let head = [&[2, 32, 0, 0][..], &link.index.to_ne_bytes(), &netlink::attribute(2, &address.octets())].concat();
        if tried.call("add an address", netlink::ask(&socket, libc::RTM_NEWADDR, &head)).is_none() {
            continue;
        }
        let from = tried.call("bind", UdpSocket::bind((address, 0)));
        from.and_then(|from| tried.call("send", from.send_to(token.bytes(), (to, 9))));
        tried.call("remove it", netlink::ask(&socket, libc::RTM_DELADDR, &head));
    }
    Ok(())
}
