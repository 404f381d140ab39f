//! Which attempts go for what else is on the machine: its sockets, files, processes, terminal?

mod abstract_socket;
mod console_selection;
mod display_socket_by_path;
mod message_queue;
mod process_environment;
mod secret_file;
mod socket_as_standard_error;
mod terminal_flags;
mod terminal_modes;
mod tiocsti;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    abstract_socket::ATTEMPT,
    console_selection::ATTEMPT,
    display_socket_by_path::ATTEMPT,
    message_queue::ATTEMPT,
    process_environment::ATTEMPT,
    secret_file::ATTEMPT,
    socket_as_standard_error::ATTEMPT,
    terminal_flags::ATTEMPT,
    terminal_modes::ATTEMPT,
    tiocsti::ATTEMPT,
];
