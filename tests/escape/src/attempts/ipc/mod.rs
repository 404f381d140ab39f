//! Which attempts use messages, memory and keys that processes of a machine share?

mod key_of_the_user;
mod posix_message_queue;
mod posix_shared_memory;
mod requested_key;
mod semaphores;
mod shared_memory;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    key_of_the_user::ATTEMPT,
    posix_message_queue::ATTEMPT,
    posix_shared_memory::ATTEMPT,
    requested_key::ATTEMPT,
    semaphores::ATTEMPT,
    shared_memory::ATTEMPT,
];
