//! Can a file of the host's be read that was never shared?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "secret-file",
    class: "host",
    severity: Severity::Critical,
    about: "Reads files of the host's by path: a private key, a token in /run.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for path in field.host.some(&field.host.secret_files, "host.secret_files")? {
        if let Some(bytes) = tried.call(&format!("read {}", path.display()), fs::read(path)) {
            tried.output(&bytes);
        }
    }
    Ok(())
}
