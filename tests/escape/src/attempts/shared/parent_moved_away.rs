//! Is a directory moved away above one with protected files?

use std::fs;

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "parent-moved-away",
    class: "shared",
    severity: Severity::Critical,
    company: Company::Alone,
    about: "Moves the directory above a nested repository away, and makes another in its place with a hook in it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let directory = field.host.directory()?;
    tried.call("move", fs::rename(directory.join("above"), directory.join("before")));
    tried.call("make a directory", fs::create_dir_all(directory.join("above/below/.git/hooks")));
    let hook = format!("#!/bin/sh\n# {}\n", token.text());
    tried.call("write", fs::write(directory.join("above/below/.git/hooks/pre-commit"), hook));
    Ok(())
}
