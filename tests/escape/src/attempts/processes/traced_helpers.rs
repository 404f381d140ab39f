//! Can a program trace pid 1, or whoever started it?

use crate::attempt::{Attempt, Control};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "traced-helpers",
    class: "processes",
    control: Control::None("attaching alone carries nothing out, and more would disturb the machine"),
    about: "Attaches to pid 1 and to its own parent with PTRACE_SEIZE, which stops nobody.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (seize, parent) = (0x4206, u64::from(std::os::unix::process::parent_id()));
    for id in [1, parent] {
        tried.call(&format!("seize {id}"), sys::call(libc::SYS_ptrace, &mut [seize, id, 0, 0].map(Arg::Number)));
    }
    Ok(())
}
