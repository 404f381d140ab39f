//! Does the host obey settings that its settings include?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-settings-included",
    class: "shared",
    severity: Severity::Critical,
    about: "Writes a file that the settings of a shared repository include, and one that they include though nobody has made it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let repository = field.host.directory()?.join("including");
    for name in ["settings", "more"] {
        let line = format!("[core]\n\tfsmonitor = {}\n", token.text());
        tried.call(name, fs::write(repository.join(name), line));
    }
    Ok(())
}
