//! Who gets the memory of a crashed process?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "core-pattern",
    class: "settings",
    severity: Severity::Critical,
    about: "Writes the setting that names the program which the kernel gives dumps to, as root of the machine.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let path = machine::CORE_PATTERN;
    tried.call(path, fs::write(path, token.bytes()));
    Ok(())
}
