//! Does the kernel write down what a program says?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "kernel-log",
    class: "settings",
    severity: Severity::Medium,
    about: "Writes a record to /dev/kmsg, which the host reads and may ship.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call(machine::LOG, fs::write(machine::LOG, token.bytes()));
    Ok(())
}
