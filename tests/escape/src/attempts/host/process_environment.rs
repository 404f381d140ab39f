//! Can the environment of a process of the host's be read?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "process-environment",
    class: "host",
    severity: Severity::Critical,
    about: "Reads the environment of each process that /proc shows.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    field.host.has(field.host.victim, "host.victim")?;
    let Some(entries) = tried.call("list /proc", fs::read_dir("/proc")) else { return Ok(()) };
    let processes = entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit());
    let (mut read, mut refused) = (0, 0);
    for process in processes {
        match fs::read(process.path().join("environ")) {
            Ok(bytes) => {
                tried.output(&bytes[..bytes.len().min(8192)]);
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    tried.call::<(), _>("read environments", Err(format!("{read} read, {refused} refused")));
    Ok(())
}
