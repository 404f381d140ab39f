//! Does one sandbox reach another over an abstract socket?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "neighbour-socket",
    class: "neighbour",
    severity: Severity::Critical,
    about: "Connects to the abstract socket on which a program of another sandbox listens.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let address = sys::unix(&[b"\0", field.host.neighbour()?.socket.as_bytes()].concat());
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)) else { return Ok(()) };
    if tried.call("connect", sys::connect(&socket, &address)).is_some() {
        tried.call("send", sys::send_to(&socket, token.bytes(), &[]));
    }
    Ok(())
}
