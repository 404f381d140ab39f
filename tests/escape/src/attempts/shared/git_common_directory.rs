//! Does the host take another directory for the repository's own?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-common-directory",
    class: "shared",
    severity: Severity::Critical,
    about: "Names a directory of its own in `commondir`, where git on the host then finds settings and hooks.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let common = field.host.directory()?.join("common/.git/commondir");
    tried.call("write", fs::write(common, format!("../{}\n", token.text())));
    Ok(())
}
