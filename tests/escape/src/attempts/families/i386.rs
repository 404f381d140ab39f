//! Do system calls of 32-bit programs get past the filter?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::link;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "i386",
    class: "families",
    severity: Severity::Critical,
    control: Control::Perhaps("not every kernel runs 32-bit programs"),
    about: "Opens a packet socket by int 0x80, and writes frames.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let words = [libc::AF_PACKET, libc::SOCK_RAW, 0].map(|word| word as u32);
    let socket = sys::call32(359, words).and_then(sys::owned);
    let Some(socket) = tried.call("socket", socket) else { return Ok(()) };
    link::transmit_on(&socket, tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes()));
    Ok(())
}
