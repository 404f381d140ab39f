//! Does the host run a hook where its settings say that hooks are?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-hook-named",
    class: "shared",
    severity: Severity::Critical,
    about: "Makes the directory of hooks that a repository's settings name and nobody has made, and a hook in it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let hooks = field.host.directory()?.join("named/.husky");
    tried.call("make a directory", fs::create_dir(&hooks));
    tried.call("write", fs::write(hooks.join("pre-commit"), format!("#!/bin/sh\n# {}\n", token.text())));
    Ok(())
}
