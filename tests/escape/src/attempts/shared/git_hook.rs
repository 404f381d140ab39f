//! Does the host run what is left as a hook?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-hook",
    class: "shared",
    severity: Severity::Critical,
    about: "Writes a hook of the repository that is shared, which git runs on the host with the next commit.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let hooks = field.host.directory()?.join(".git/hooks");
    tried.call("write", fs::write(hooks.join("pre-commit"), format!("#!/bin/sh\n# {}\n", token.text())));
    Ok(())
}
