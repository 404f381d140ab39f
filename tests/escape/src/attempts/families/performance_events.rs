//! Can a program call perf_event_open without an event?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "performance-events",
    class: "families",
    severity: Severity::Medium,
    control: Control::None("it leads nowhere by itself: what counts is the kernel that it exposes"),
    about: "Calls perf_event_open without an event, and does nothing with what it gives.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call("call", sys::call(libc::SYS_perf_event_open, &mut [0, 0, u64::MAX, u64::MAX, 0].map(Arg::Number)));
    Ok(())
}
