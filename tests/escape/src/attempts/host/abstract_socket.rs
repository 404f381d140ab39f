//! Does an abstract socket of the host's answer inside?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "abstract-socket",
    class: "host",
    severity: Severity::Critical,
    about: "Connects to abstract unix sockets, which have no file to hide.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for name in field.host.some(&field.host.abstract_sockets, "host.abstract_sockets")? {
        let address = sys::unix(&[b"\0", name.as_bytes()].concat());
        let Some(socket) = tried.call("socket", sys::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)) else { continue };
        if tried.call(&format!("connect @{name}"), sys::connect(&socket, &address)).is_some() {
            tried.call(&format!("send @{name}"), sys::send_to(&socket, token.bytes(), &[]));
        }
    }
    Ok(())
}
