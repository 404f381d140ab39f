//! Does binding to a link lead around the routes?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::link;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "bind-to-device",
    class: "tricks",
    surface: "refused:udp4",
    about: "Binds a socket to each link by name and sends a datagram.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    for link in link::all() {
        let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
        let name = [link.name.as_bytes(), b"\0"].concat();
        tried.call("SO_BINDTODEVICE", sys::set(&socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &name));
        tried.call("send", sys::send_to(&socket, token.bytes(), &to));
    }
    Ok(())
}
