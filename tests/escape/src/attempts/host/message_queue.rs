//! Does a message queue of the host's take a message?

use crate::attempt::Attempt;
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "message-queue",
    class: "host",
    about: "Sends to a System V message queue of the host's by its key.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let key = field.host.queue.ok_or(NotApplicable::field("host.queue"))?;
    let found = sys::call(libc::SYS_msgget, &mut [key as u64, 0].map(Arg::Number));
    let Some(queue) = tried.call("find the queue", found) else { return Ok(()) };
    let message = [&1_i64.to_ne_bytes()[..], token.bytes()].concat();
    let length = Arg::Number(token.bytes().len() as u64);
    let nowait = Arg::Number(libc::IPC_NOWAIT as u64);
    tried.call("send", sys::call(libc::SYS_msgsnd, &mut [Arg::Number(queue), Arg::In(&message), length, nowait]));
    Ok(())
}
