//! Does a priority on packets lead around the rules?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "socket-priority",
    class: "tricks",
    surface: "refused:udp4",
    about: "Sets SO_PRIORITY and IP_TOS, and sends a datagram.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let to = sys::v4(token.v4()?, 9);
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)) else { return Ok(()) };
    tried.call("SO_PRIORITY", sys::set(&socket, libc::SOL_SOCKET, libc::SO_PRIORITY, &6_i32.to_ne_bytes()));
    tried.call("IP_TOS", sys::set(&socket, libc::IPPROTO_IP, libc::IP_TOS, &0xe0_i32.to_ne_bytes()));
    tried.call("send", sys::send_to(&socket, token.bytes(), &to));
    Ok(())
}
