//! Does the host obey settings of a work tree?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-settings-of-work-tree",
    class: "shared",
    severity: Severity::Critical,
    about: "Adds settings of the work tree to a repository that has them switched on and has none.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let settings = field.host.directory()?.join("work-tree/.git/config.worktree");
    tried.call("write", fs::write(settings, format!("[core]\n\tfsmonitor = {}\n", token.text())));
    Ok(())
}
