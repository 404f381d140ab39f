//! Are settings that can not be written replaced?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-settings-replaced",
    class: "shared",
    severity: Severity::Critical,
    about: "Renames another file over the settings of the repository that is shared.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let git = field.host.directory()?.join("replaced/.git");
    let line = format!("[core]\n\tfsmonitor = {}\n", token.text());
    tried.call("write", fs::write(git.join("another"), line));
    tried.call("rename", fs::rename(git.join("another"), git.join("config")));
    Ok(())
}
