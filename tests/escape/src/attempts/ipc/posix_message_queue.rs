//! Does a POSIX message queue of the host take a message?

use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::ipc;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "posix-message-queue",
    class: "ipc",
    severity: Severity::Critical,
    about: "Opens a message queue of the host by its name, and sends.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let name = field.host.posix_queue.as_ref().ok_or(NotApplicable::field("host.posix_queue"))?;
    let Some(queue) = tried.call("open", ipc::open(name, false)) else { return Ok(()) };
    let [queue, length, priority, until] =
        [queue.as_raw_fd() as u64, token.bytes().len() as u64, 0, 0].map(Arg::Number);
    let arguments = [queue, Arg::In(token.bytes()), length, priority, until];
    tried.call("send", sys::call(libc::SYS_mq_timedsend, &mut { arguments }));
    Ok(())
}
