//! Is memory of the host attached by its key?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::ipc;
use crate::sys::{self, Arg, Shared};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "shared-memory",
    class: "ipc",
    severity: Severity::Critical,
    about: "Attaches System V memory of the host, and writes there.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let found = sys::call(libc::SYS_shmget, &mut [field.host.queue()?, 0, 0].map(Arg::Number));
    let Some(segment) = tried.call("find", found) else { return Ok(()) };
    if let Some(mut memory) = tried.call("attach", Shared::attach(segment, ipc::MEMORY)) {
        // Others of this kind write elsewhere in it.
        memory.write(0, token.bytes());
    }
    Ok(())
}
