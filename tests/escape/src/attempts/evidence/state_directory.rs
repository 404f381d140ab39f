//! Can something be left where the sandbox keeps its state?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "state-directory",
    class: "evidence",
    severity: Severity::Critical,
    about: "Makes a file in the directory where keys, runs and evidence lie.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let state = &field.host.evidence()?.state;
    tried.call("write", fs::write(state.join(token.text()), token.bytes()));
    Ok(())
}
