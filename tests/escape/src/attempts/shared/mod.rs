//! Which attempts go through the directory that is shared with the host?

mod core_dump;
mod device_in_directory;
mod fifo_in_directory;
mod git_exchanged;
mod git_hook;
mod git_hook_linked;
mod git_moved_away;
mod git_settings;
mod git_settings_replaced;
mod moved_socket;
mod parent_moved_away;
mod set_id_by_mode;
mod set_id_when_made;
mod socket_in_directory;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    core_dump::ATTEMPT,
    device_in_directory::ATTEMPT,
    fifo_in_directory::ATTEMPT,
    git_exchanged::ATTEMPT,
    git_hook::ATTEMPT,
    git_hook_linked::ATTEMPT,
    git_moved_away::ATTEMPT,
    git_settings::ATTEMPT,
    git_settings_replaced::ATTEMPT,
    moved_socket::ATTEMPT,
    parent_moved_away::ATTEMPT,
    set_id_by_mode::ATTEMPT,
    set_id_when_made::ATTEMPT,
    socket_in_directory::ATTEMPT,
];
