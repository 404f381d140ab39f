//! Can a program write another process's memory?

use std::path::PathBuf;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "written-memory",
    class: "processes",
    severity: Severity::Critical,
    about: "Writes to the environment of a process of the host with process_vm_writev.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for id in family::victims() {
        let Some((start, length)) = family::environment(&PathBuf::from(format!("/proc/{id}"))) else { continue };
        let length = token.bytes().len().min(length) as u64;
        let here = [token.bytes().as_ptr() as u64, length].map(u64::to_ne_bytes).concat();
        let there = [start, length].map(u64::to_ne_bytes).concat();
        let [id, one, other, flags] = [id, 1, 1, 0].map(Arg::Number);
        let arguments = [id, Arg::In(&here), one, Arg::In(&there), other, flags];
        tried.call("write", sys::call(libc::SYS_process_vm_writev, &mut { arguments }));
    }
    tried.call::<(), _>("processes of the host", Err(family::victims().len()));
    Ok(())
}
