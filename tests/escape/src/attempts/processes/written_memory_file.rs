//! Can a program write another process's memory as a file?

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "written-memory-file",
    class: "processes",
    severity: Severity::Critical,
    about: "Writes to the environment of a process of the host through /proc/PID/mem.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for id in family::victims() {
        let process = PathBuf::from(format!("/proc/{id}"));
        let Some((start, _)) = family::environment(&process) else { continue };
        let memory = fs::OpenOptions::new().write(true).open(process.join("mem"));
        // Behind what another attempt writes.
        tried.call("write", memory.and_then(|memory| memory.write_all_at(token.bytes(), start + 32)));
    }
    tried.call::<(), _>("processes of the host", Err(family::victims().len()));
    Ok(())
}
