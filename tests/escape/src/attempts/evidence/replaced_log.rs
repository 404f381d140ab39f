//! Can the log be replaced?

use std::fs;

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "replaced-log",
    class: "evidence",
    severity: Severity::Critical,
    company: Company::Alone,
    about: "Renames another file over the log, and removes it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let log = &field.host.evidence()?.log;
    let other = log.with_extension(token.text());
    // What it was, and something more.
    let before = fs::read_to_string(log).unwrap_or_default();
    tried.call("write", fs::write(&other, format!("{before}{}\n", token.text())));
    tried.call("rename", fs::rename(&other, log));
    Ok(())
}
