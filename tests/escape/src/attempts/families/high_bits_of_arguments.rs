//! Does junk in the upper half of arguments hide what is asked for?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::link;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "high-bits-of-arguments",
    class: "families",
    severity: Severity::Critical,
    about: "Opens a packet socket with arguments whose upper 32 bits are set, and writes frames.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let numbers = [libc::AF_PACKET, libc::SOCK_RAW, 0].map(|number| Arg::Number(number as u64 | 0xdead_beef << 32));
    let socket = sys::call(libc::SYS_socket, &mut { numbers }).and_then(sys::owned);
    let Some(socket) = tried.call("socket", socket) else { return Ok(()) };
    link::transmit_on(&socket, tried, |link| link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes()));
    Ok(())
}
