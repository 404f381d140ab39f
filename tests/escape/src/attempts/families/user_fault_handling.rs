//! Can a program call userfaultfd?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "user-fault-handling",
    class: "families",
    severity: Severity::Medium,
    control: Control::None("it leads nowhere by itself: what counts is the kernel that it exposes"),
    about: "Calls userfaultfd, and does nothing with what it gives.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call("call", sys::call(libc::SYS_userfaultfd, &mut [0].map(Arg::Number)));
    Ok(())
}
