//! Which programs does the kernel start by itself?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "helper-programs",
    class: "settings",
    severity: Severity::Critical,
    about: "Writes the settings that name programs which the kernel starts as root: for modules, for devices, for the end.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for path in machine::PROGRAMS {
        tried.call(path, fs::write(path, token.bytes()));
    }
    Ok(())
}
