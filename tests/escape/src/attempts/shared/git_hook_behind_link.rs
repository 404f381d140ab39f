//! Does the host run a hook that lies behind a link?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-hook-behind-link",
    class: "shared",
    severity: Severity::Critical,
    about: "Writes a hook to the directory that a repository's own directory of hooks is a link to.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let hook = field.host.directory()?.join("behind-link/scripts/pre-commit");
    tried.call("write", fs::write(hook, format!("#!/bin/sh\n# {}\n", token.text())));
    Ok(())
}
