//! Does a socket to the hypervisor open?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "vsock",
    class: "families",
    severity: Severity::Critical,
    control: Control::None("the control would speak to the machine's own hypervisor, so nothing is sent"),
    about: "Opens sockets of AF_VSOCK, which lead to the machine below, and sends nothing.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
        tried.call(&format!("socket of kind {kind}"), sys::socket(libc::AF_VSOCK, kind, 0));
    }
    Ok(())
}
