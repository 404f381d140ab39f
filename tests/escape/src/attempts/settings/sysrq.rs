//! Does the kernel obey a key of its console?

use std::fs;

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::machine;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "sysrq",
    class: "settings",
    severity: Severity::Critical,
    about: "Writes to /proc/sysrq-trigger, which syncs, kills, crashes and restarts the machine.",
    control: Control::Perhaps("a kernel that was built with such keys"),
    make,
    ..Attempt::USUAL
};

/// Of what is written at once the kernel obeys the first letter alone, and this one asks for help.
fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call(machine::SYSRQ, fs::write(machine::SYSRQ, format!("h{}", token.text())));
    Ok(())
}
