//! Can uid 0 of the sandbox write accounts of the host?

use std::fs;
use std::io::Write;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "accounts",
    class: "settings",
    severity: Severity::Critical,
    about: "Appends to the files that say who there is, and what is loaded into each program.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for path in machine::ACCOUNTS {
        let file = fs::OpenOptions::new().append(true).open(path);
        tried.call(path, file.and_then(|mut file| file.write_all(token.bytes())));
    }
    Ok(())
}
