//! Does a connection that never was get out?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "connection-repair",
    class: "tricks",
    severity: Severity::Critical,
    about: "Makes a socket believe that it is connected, with TCP_REPAIR, and sends.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (repair, to) = (19, sys::v4(token.v4()?, 9));
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)) else { return Ok(()) };
    if tried.call("TCP_REPAIR", sys::set(&socket, libc::IPPROTO_TCP, repair, &1_i32.to_ne_bytes())).is_none() {
        return Ok(());
    }
    tried.call("bind", sys::bind(&socket, &sys::v4(link::source_v4(token.v4()?), 0)));
    tried.call("connect", sys::connect(&socket, &to));
    tried.call("end of repair", sys::set(&socket, libc::IPPROTO_TCP, repair, &0_i32.to_ne_bytes()));
    tried.call("send", sys::send_to(&socket, token.bytes(), &[]));
    Ok(())
}
