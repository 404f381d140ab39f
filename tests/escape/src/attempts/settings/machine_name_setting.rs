//! Can the machine be given another name through /proc?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "machine-name-setting",
    class: "settings",
    severity: Severity::Medium,
    about: "Writes the settings for the name of the machine and of its domain, which are sent in many protocols.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for path in machine::NAMES {
        tried.call(path, fs::write(path, token.bytes()));
    }
    Ok(())
}
