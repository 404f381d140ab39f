//! Is a terminal left so that nobody can read what is said on it?

use std::os::fd::{AsFd, AsRawFd};

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::stage::terminal::{OUTPUT, modes, number};
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "terminal-modes",
    class: "host",
    severity: Severity::Low,
    company: Company::Alone,
    about: "Switches off what makes lines of the terminal's output, and leaves it so.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    field.host.has(field.host.terminal, "host.terminal")?;
    let input = std::io::stdin();
    let Some(mut modes) = tried.call("modes", modes(input.as_fd())) else { return Ok(()) };
    let output = number(&modes[OUTPUT]) & !libc::OPOST;
    modes[OUTPUT].copy_from_slice(&output.to_ne_bytes());
    // Whoever is in the background would be stopped by that signal.
    let stop = (1_u64 << (libc::SIGTTOU - 1)).to_ne_bytes();
    let [block, nothing, length] = [libc::SIG_BLOCK as u64, 0, 8].map(Arg::Number);
    tried.call("block the signal", sys::call(libc::SYS_rt_sigprocmask, &mut [block, Arg::In(&stop), nothing, length]));
    let [descriptor, set] = [input.as_raw_fd() as u64, libc::TCSETS].map(Arg::Number);
    tried.call("change the modes", sys::call(libc::SYS_ioctl, &mut [descriptor, set, Arg::In(&modes)]));
    Ok(())
}
