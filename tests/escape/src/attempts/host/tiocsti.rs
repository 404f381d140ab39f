//! Can a program type on the terminal that started the sandbox?

use std::fs::File;
use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "tiocsti",
    class: "host",
    severity: Severity::Critical,
    company: Company::Alone,
    about: "Pushes characters into the input of standard input's terminal and of /dev/tty, as if somebody typed.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    field.host.has(field.host.terminal, "host.terminal")?;
    tried.call("type on standard input", type_on(0, token.bytes()));
    if let Some(terminal) = tried.call("open /dev/tty", File::open("/dev/tty")) {
        tried.call("type on /dev/tty", type_on(terminal.as_raw_fd(), token.bytes()));
    }
    Ok(())
}

fn type_on(descriptor: i32, text: &[u8]) -> std::io::Result<()> {
    text.iter().try_for_each(|letter| {
        let arguments =
            [Arg::Number(descriptor as u64), Arg::Number(libc::TIOCSTI), Arg::In(std::slice::from_ref(letter))];
        sys::call(libc::SYS_ioctl, &mut { arguments }).map(drop)
    })
}
