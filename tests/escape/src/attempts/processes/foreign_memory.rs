//! Can a program read another process's memory?

use std::path::PathBuf;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "foreign-memory",
    class: "processes",
    severity: Severity::Critical,
    about: "Reads the environment of each visible process with process_vm_readv.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let mut read = 0;
    for id in family::ids() {
        let Some((start, length)) = family::environment(&PathBuf::from(format!("/proc/{id}"))) else { continue };
        let mut bytes = vec![0_u8; length];
        let here = [bytes.as_mut_ptr() as u64, length as u64].map(u64::to_ne_bytes).concat();
        let there = [start, length as u64].map(u64::to_ne_bytes).concat();
        let [id, one, flags] = [id, 1, 0].map(Arg::Number);
        let arguments = [id, Arg::In(&here), Arg::Number(1), Arg::In(&there), one, flags];
        if sys::call(libc::SYS_process_vm_readv, &mut { arguments }).is_ok() {
            tried.output(&bytes);
            read += 1;
        }
    }
    tried.call::<(), _>("read", Err(format!("{read} read")));
    Ok(())
}
