//! Does a terminal stop waiting for those who share it?

use std::os::fd::{AsFd, AsRawFd};

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::stage::terminal::{FLAGS, flags};
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "terminal-flags",
    class: "host",
    severity: Severity::Low,
    company: Company::Alone,
    about: "Changes the flags of standard input's open file, which the shell outside reads from too.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    field.host.has(field.host.terminal, "host.terminal")?;
    let input = std::io::stdin();
    if let Some(now) = tried.call("flags", flags(input.as_fd())) {
        let numbers = [input.as_raw_fd() as u64, libc::F_SETFL as u64, (now | FLAGS) as u64];
        tried.call("change the flags", sys::call(libc::SYS_fcntl, &mut numbers.map(Arg::Number)));
    }
    Ok(())
}
