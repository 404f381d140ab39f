//! Does a mount that is made inside appear outside?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "seen-outside",
    class: "mounts",
    severity: Severity::Critical,
    about: "Mounts a file system with its own name on a directory that is shared with the host.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let place = field.host.directory()?.join(token.text());
    tried.call("make a directory", fs::create_dir(&place));
    tried.call("mount", sys::mount(token.text(), &place, "tmpfs", 0));
    Ok(())
}
