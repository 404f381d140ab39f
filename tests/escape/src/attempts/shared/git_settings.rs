//! Does the host run what the settings name?

use std::fs;
use std::io::Write;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-settings",
    class: "shared",
    severity: Severity::Critical,
    about: "Appends a program to the settings of the repository that is shared, which git runs on the host with the next status.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let settings = field.host.directory()?.join(".git/config");
    let file = fs::OpenOptions::new().append(true).open(settings);
    let line = format!("[core]\n\tfsmonitor = {}\n", token.text());
    tried.call("append", file.and_then(|mut file| file.write_all(line.as_bytes())));
    Ok(())
}
