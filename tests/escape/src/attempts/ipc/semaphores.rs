//! Do semaphores of the host carry anything?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "semaphores",
    class: "ipc",
    severity: Severity::Critical,
    about: "Sets System V semaphores of the host to the letters of a text, by their key.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let found = sys::call(libc::SYS_semget, &mut [field.host.queue()?, 0, 0].map(Arg::Number));
    let Some(set) = tried.call("find", found) else { return Ok(()) };
    for (at, letter) in token.bytes().iter().enumerate() {
        let arguments = [set, at as u64, libc::SETVAL as u64, u64::from(*letter)];
        if tried.call("set", sys::call(libc::SYS_semctl, &mut arguments.map(Arg::Number))).is_none() {
            break;
        }
    }
    Ok(())
}
