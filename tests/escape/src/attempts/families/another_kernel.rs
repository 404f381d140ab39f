//! Can a program call kexec_load with flags that no kernel knows?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "another-kernel",
    class: "families",
    severity: Severity::Medium,
    control: Control::None("the control would change the machine, so the flags are wrong on purpose"),
    about: "Calls kexec_load with flags that no kernel knows, and does nothing with what it gives.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call("call", sys::call(libc::SYS_kexec_load, &mut [0, 0, 0, 0xffff].map(Arg::Number)));
    Ok(())
}
