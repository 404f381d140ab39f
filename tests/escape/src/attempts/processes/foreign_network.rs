//! Can a program enter another process's network?

use std::fs;
use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};
use crate::wire;

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "foreign-network",
    class: "processes",
    severity: Severity::Critical,
    about: "Enters the network namespace of each visible process, and connects to the host's loopback there.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let loopback = field.host.loopback.ok_or(NotApplicable::field("host.loopback"))?;
    for process in family::processes() {
        let Ok(namespace) = fs::File::open(process.join("ns/net")) else { continue };
        let arguments = [namespace.as_raw_fd() as u64, libc::CLONE_NEWNET as u64];
        if tried
            .call(&format!("enter {}", process.display()), sys::call(libc::SYS_setns, &mut arguments.map(Arg::Number)))
            .is_some()
        {
            tried.call("connect and send", wire::deliver(loopback, token.bytes()));
        }
    }
    Ok(())
}
