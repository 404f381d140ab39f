//! Do system calls of the x32 kind get past the filter?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::link;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "x32",
    class: "families",
    severity: Severity::Critical,
    control: Control::Perhaps("not every kernel has x32"),
    about: "Opens a packet socket by an x32 number, and writes frames.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let numbers = [libc::AF_PACKET, libc::SOCK_RAW, 0].map(|number| Arg::Number(number as u64));
    let socket = sys::call(libc::SYS_socket | 0x4000_0000, &mut { numbers }).and_then(sys::owned);
    let Some(socket) = tried.call("socket", socket) else { return Ok(()) };
    link::transmit_on(&socket, tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes()));
    Ok(())
}
