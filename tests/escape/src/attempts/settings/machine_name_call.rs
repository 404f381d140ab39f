//! Can the machine be given another name by a system call?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "machine-name-call",
    class: "settings",
    severity: Severity::Medium,
    about: "Calls sethostname and setdomainname.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for (name, number) in [("sethostname", libc::SYS_sethostname), ("setdomainname", libc::SYS_setdomainname)] {
        let length = Arg::Number(token.bytes().len() as u64);
        tried.call(name, sys::call(number, &mut [Arg::In(token.bytes()), length]));
    }
    Ok(())
}
