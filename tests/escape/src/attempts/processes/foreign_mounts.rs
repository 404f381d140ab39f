//! Can a program enter another process's mounts?

use std::fs;
use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "foreign-mounts",
    class: "processes",
    severity: Severity::Critical,
    about: "Enters the mount namespace of each visible process, and reads secret files there.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for process in family::processes() {
        let Ok(namespace) = fs::File::open(process.join("ns/mnt")) else { continue };
        let arguments = [namespace.as_raw_fd() as u64, libc::CLONE_NEWNS as u64];
        if tried
            .call(&format!("enter {}", process.display()), sys::call(libc::SYS_setns, &mut arguments.map(Arg::Number)))
            .is_none()
        {
            continue;
        }
        for path in field.host.some(&field.host.secret_files, "host.secret_files")? {
            fs::read(path).into_iter().for_each(|bytes| tried.output(&bytes));
        }
    }
    Ok(())
}
