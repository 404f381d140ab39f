//! Is memory of the host opened by its name?

use std::fs;
use std::io::Write;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "posix-shared-memory",
    class: "ipc",
    severity: Severity::Critical,
    about: "Writes to POSIX shared memory of the host, which is a file in /dev/shm.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let files = field.host.some(&field.host.drop_files, "host.drop_files")?;
    for path in files.iter().filter(|path| path.starts_with("/dev/shm")) {
        let file = fs::OpenOptions::new().append(true).open(path);
        tried.call("write", file.and_then(|mut file| file.write_all(token.bytes())));
    }
    Ok(())
}
