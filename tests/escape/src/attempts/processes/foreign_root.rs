//! Can a program walk through another process's root?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "foreign-root",
    class: "processes",
    severity: Severity::Critical,
    about: "Reads secret files below /proc/PID/root and /proc/PID/cwd of each visible process.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (mut read, mut refused) = (0, 0);
    for process in family::processes() {
        for path in field.host.some(&field.host.secret_files, "host.secret_files")? {
            let below = path.strip_prefix("/").unwrap_or(path);
            for base in ["root", "cwd/../../../../../.."] {
                match fs::read(process.join(base).join(below)) {
                    Ok(bytes) => {
                        tried.output(&bytes);
                        read += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    tried.call::<(), _>("read", Err(format!("{read} read, {refused} refused")));
    Ok(())
}
