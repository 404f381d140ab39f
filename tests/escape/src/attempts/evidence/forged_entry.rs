//! Can an entry be forged?

use std::fs;
use std::io::Write;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "forged-entry",
    class: "evidence",
    severity: Severity::Critical,
    about: "Appends a line to the log by its path.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let file = fs::OpenOptions::new().append(true).open(&field.host.evidence()?.log);
    let line = format!("{{\"kind\":\"forged\",\"token\":\"{}\"}}\n", token.text());
    tried.call("append", file.and_then(|mut file| file.write_all(line.as_bytes())));
    Ok(())
}
