//! Can the key be read that signs the evidence?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "signing-key",
    class: "evidence",
    severity: Severity::Critical,
    about: "Reads the private key by its path.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let key = &field.host.evidence()?.key;
    if let Some(bytes) = tried.call("read", fs::read(key)) {
        tried.output(&bytes);
    }
    Ok(())
}
