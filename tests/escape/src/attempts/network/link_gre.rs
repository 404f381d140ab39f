//! Does a tunnel over GRE of the program's own lead out?

use crate::attempt::{Attempt, Company, Control};
use crate::field::Field;
use crate::link;
use crate::netlink;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "link-gre",
    class: "network",
    control: Control::Perhaps("not every kernel has such links"),
    company: Company::Alone,
    about: "Adds a tunnel over GRE, and writes a frame to it.",
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
                "gretap",
                &[
                    netlink::attribute(7, &token.v4()?.octets()),
                    netlink::attribute(6, &link::source_v4(token.v4()?).octets()),
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
