//! Does the kernel's crypto interface open?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "kernel-crypto",
    class: "families",
    severity: Severity::Low,
    control: Control::None("a hash leads nowhere: what counts is the kernel that it exposes"),
    about: "Binds a socket of AF_ALG to a hash.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let Some(socket) = tried.call("socket", sys::socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)) else { return Ok(()) };
    let mut address = [0; 88];
    address[..2].copy_from_slice(&(libc::AF_ALG as u16).to_ne_bytes());
    address[2..6].copy_from_slice(b"hash");
    address[24..30].copy_from_slice(b"sha256");
    tried.call("bind", sys::bind(&socket, &address));
    Ok(())
}
