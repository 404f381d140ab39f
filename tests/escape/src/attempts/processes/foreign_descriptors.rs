//! Can a program read what another process has open?

use std::fs;
use std::io::Read;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "foreign-descriptors",
    class: "processes",
    severity: Severity::Critical,
    about: "Reads each file that a visible process has open, through /proc/PID/fd.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (mut read, mut refused) = (0, 0);
    for process in family::processes() {
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        // A pipe would be emptied under its reader, and a terminal would wait.
        for path in
            descriptors.map(|entry| entry.path()).filter(|path| fs::metadata(path).is_ok_and(|about| about.is_file()))
        {
            match fs::File::open(&path) {
                Ok(file) if file.metadata().is_ok_and(|about| about.len() < 4096) => {
                    let mut bytes = Vec::new();
                    let _ = file.take(4096).read_to_end(&mut bytes);
                    tried.output(&bytes);
                    read += 1;
                }
                _ => refused += 1,
            }
        }
    }
    tried.call::<(), _>("read", Err(format!("{read} read, {refused} refused")));
    Ok(())
}
