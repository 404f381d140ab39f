//! Can something be left that the host starts sooner or later?

use std::fs;
use std::path::Path;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "started-later",
    class: "settings",
    severity: Severity::Critical,
    about: "Makes files where the host looks for jobs, services and what shells read.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for directory in machine::RUN {
        let path = Path::new(directory).join(token.text());
        tried.call(directory, fs::write(path, "#!/bin/sh\n"));
    }
    Ok(())
}
