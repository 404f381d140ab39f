//! Is the console's selection pasted into its input?

use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "console-selection",
    class: "host",
    severity: Severity::Critical,
    control: Control::None("only a console of the machine has a selection, and none is lent out"),
    about: "Asks for TIOCLINUX on standard input and on /dev/tty, which sets and pastes what a console has selected.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let terminal = std::fs::File::open("/dev/tty").ok();
    for descriptor in [Some(0), terminal.as_ref().map(AsRawFd::as_raw_fd)].into_iter().flatten() {
        for (name, code) in [("set the selection", 2_u8), ("paste", 3)] {
            let mut argument = [code; 16];
            let [on, tioclinux] = [descriptor as u64, 0x541c].map(Arg::Number);
            tried.call(name, sys::call(libc::SYS_ioctl, &mut [on, tioclinux, Arg::Out(&mut argument)]));
        }
    }
    Ok(())
}
