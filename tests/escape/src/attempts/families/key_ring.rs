//! Does the kernel keep a key, which belongs to no namespace?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "key-ring",
    class: "families",
    severity: Severity::Medium,
    control: Control::None("a key in a process's own ring is seen by nobody else, and any other ring is the machine's"),
    about: "Adds a key with data to its process's key ring.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let data = [Arg::In(token.bytes()), Arg::Number(token.bytes().len() as u64), Arg::Number(-2_i64 as u64)];
    let [bytes, length, ring] = data;
    tried.call(
        "add_key",
        sys::call(libc::SYS_add_key, &mut [Arg::In(b"user\0"), Arg::In(b"escape\0"), bytes, length, ring]),
    );
    Ok(())
}
