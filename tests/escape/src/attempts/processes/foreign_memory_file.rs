//! Can a program read another process's memory as a file?

use std::fs;
use std::os::unix::fs::FileExt;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "foreign-memory-file",
    class: "processes",
    severity: Severity::Critical,
    about: "Reads the environment out of /proc/PID/mem of each visible process.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let mut read = 0;
    for process in family::processes() {
        let Some((start, length)) = family::environment(&process) else { continue };
        let mut bytes = vec![0; length];
        let memory = fs::File::open(process.join("mem"));
        if memory.is_ok_and(|memory| memory.read_exact_at(&mut bytes, start).is_ok()) {
            tried.output(&bytes);
            read += 1;
        }
    }
    tried.call::<(), _>("read", Err(format!("{read} read")));
    Ok(())
}
