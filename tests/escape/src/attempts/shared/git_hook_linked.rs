//! Is a hook linked where it can not be written?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-hook-linked",
    class: "shared",
    severity: Severity::Critical,
    about: "Links a file of its own into the directory of hooks, and a directory of its own into its place.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let git = field.host.directory()?.join("linked/.git");
    tried.call("write", fs::write(git.join("own"), format!("#!/bin/sh\n# {}\n", token.text())));
    tried.call("link", fs::hard_link(git.join("own"), git.join("hooks/post-checkout")));
    tried.call("remove the hooks", fs::remove_dir(git.join("hooks")));
    Ok(())
}
