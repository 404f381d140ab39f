//! Does a frame through the oldest kind of packet socket get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "old-packet-socket",
    class: "link",
    severity: Severity::Critical,
    about: "Writes a frame to each link by its name, through a SOCK_PACKET socket of AF_INET.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, 10, 0x0300)) else { return Ok(()) };
    for link in link::all() {
        let mut address = (libc::AF_PACKET as u16).to_ne_bytes().to_vec();
        address.extend(link.name.bytes().take(13));
        address.resize(16, 0);
        address.extend([0x88, 0xb5]);
        let frame = link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes());
        tried.call(&format!("send on {}", link.name), sys::send_to(&socket, &frame, &address));
    }
    Ok(())
}
