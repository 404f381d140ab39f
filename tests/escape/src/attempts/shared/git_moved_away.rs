//! Is a directory with protected files in it moved away?

use std::fs;

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-moved-away",
    class: "shared",
    severity: Severity::Critical,
    company: Company::Alone,
    about: "Moves the repository's own directory away, and makes another in its place with a hook in it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let directory = field.host.directory()?.join("moved");
    tried.call("move", fs::rename(directory.join(".git"), directory.join("old")));
    tried.call("make a directory", fs::create_dir_all(directory.join(".git/hooks")));
    let hook = format!("#!/bin/sh\n# {}\n", token.text());
    tried.call("write", fs::write(directory.join(".git/hooks/pre-commit"), hook));
    Ok(())
}
