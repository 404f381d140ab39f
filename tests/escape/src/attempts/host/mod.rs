//! Which attempts go for what else is on the machine: its sockets, files, processes, terminal?

mod abstract_socket;
mod message_queue;
mod process_environment;
mod secret_file;
mod tiocsti;
mod unix_socket;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    abstract_socket::ATTEMPT,
    message_queue::ATTEMPT,
    process_environment::ATTEMPT,
    secret_file::ATTEMPT,
    tiocsti::ATTEMPT,
    unix_socket::ATTEMPT,
];
