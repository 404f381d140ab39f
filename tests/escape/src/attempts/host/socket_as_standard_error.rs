//! Is a connection of the host's turned elsewhere?

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "socket-as-standard-error",
    class: "host",
    severity: Severity::Critical,
    company: Company::Alone,
    about: "Dissolves the connection of each standard stream that is a socket, and connects it anew: such a socket keeps the network that it was made in.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    field.host.has(field.host.socket, "host.socket")?;
    let to = sys::v4(token.v4()?, token.tcp()?.port());
    for descriptor in 0..3_u64 {
        let copy = sys::call(libc::SYS_dup, &mut [Arg::Number(descriptor)]).and_then(sys::owned);
        let Some(socket) = tried.call(&format!("copy {descriptor}"), copy) else { continue };
        tried.call("dissolve", sys::connect(&socket, &(libc::AF_UNSPEC as u16).to_ne_bytes().repeat(8)));
        if tried.call("connect", sys::connect(&socket, &to)).is_some() {
            tried.call("send", sys::send_to(&socket, token.bytes(), &[]));
        }
    }
    Ok(())
}
