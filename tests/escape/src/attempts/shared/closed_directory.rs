//! Is what lies in a closed directory overlooked, and then opened?

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "closed-directory",
    class: "shared",
    severity: Severity::Critical,
    about: "Opens a directory that nobody could list at the start, and changes the settings of the repository in it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let closed = field.host.directory()?.join("closed");
    tried.call("open", fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)));
    let file = fs::OpenOptions::new().append(true).open(closed.join("repository/.git/config"));
    let line = format!("[core]\n\tfsmonitor = {}\n", token.text());
    tried.call("append", file.and_then(|mut file| file.write_all(line.as_bytes())));
    Ok(())
}
