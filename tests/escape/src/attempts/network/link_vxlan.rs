//! Does a tunnel over UDP of the program's own lead out?

use crate::attempt::{Attempt, Company};
use crate::field::Field;
use crate::link;
use crate::netlink;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "link-vxlan",
    class: "network",
    company: Company::Alone,
    about: "Adds a tunnel over UDP, and writes a frame to it.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let name = format!("esc{}", token.number());
    let Some(socket) = tried.call("netlink", netlink::routing()) else { return Ok(()) };
    if tried
        .call(
            "add",
            netlink::add_link(
                &socket,
                &name,
                "vxlan",
                &[
                    netlink::attribute(1, &42_u32.to_ne_bytes()),
                    netlink::attribute(2, &token.v4()?.octets()),
                    netlink::attribute(15, &9_u16.to_be_bytes()),
                ]
                .concat(),
                &[],
            ),
        )
        .is_none()
    {
        return Ok(());
    }
    if let (Some(link), Some(packets)) = (link::named(&name), sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).ok()) {
        let frame = link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes());
        tried.call("send", sys::send_to(&packets, &frame, &link::address(&link, 0, link::EVERYBODY)));
    }
    tried.call("remove", netlink::remove_link(&socket, &name));
    Ok(())
}
