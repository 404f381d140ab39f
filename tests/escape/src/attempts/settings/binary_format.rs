//! Can a program be registered for a foreign format?

use std::fs;
use std::path::Path;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "binary-format",
    class: "settings",
    severity: Severity::Critical,
    about: "Registers a format with the kernel, whose programs then run for whoever starts such a file.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let path = Path::new(machine::FORMATS).join("register");
    let line = format!(":{}:E::escape::/bin/true:", token.text());
    if tried.call("register", fs::write(&path, &line)).is_none() {
        tried.call("mount", sys::mount("escape", machine::FORMATS.as_ref(), "binfmt_misc", 0));
        tried.call("register", fs::write(&path, &line));
    }
    Ok(())
}
