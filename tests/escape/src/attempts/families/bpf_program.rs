//! Can a program call bpf to load a program?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "bpf-program",
    class: "families",
    severity: Severity::Medium,
    control: Control::None("loading takes power over the machine, and nothing is attached"),
    about: "Calls bpf to load a program, and does nothing with what it gives.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call("call", sys::call(libc::SYS_bpf, &mut [5, 0, 0].map(Arg::Number)));
    Ok(())
}
