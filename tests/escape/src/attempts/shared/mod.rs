//! Which attempts go through the directory that is shared with the host?

mod closed_directory;
mod core_dump;
mod device_in_directory;
mod fifo_in_directory;
mod file_capabilities;
mod git_common_directory;
mod git_exchanged;
mod git_hook;
mod git_hook_behind_link;
mod git_hook_linked;
mod git_hook_named;
mod git_moved_away;
mod git_settings;
mod git_settings_included;
mod git_settings_of_work_tree;
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
    closed_directory::ATTEMPT,
    core_dump::ATTEMPT,
    device_in_directory::ATTEMPT,
    fifo_in_directory::ATTEMPT,
    file_capabilities::ATTEMPT,
    git_common_directory::ATTEMPT,
    git_exchanged::ATTEMPT,
    git_hook::ATTEMPT,
    git_hook_behind_link::ATTEMPT,
    git_hook_linked::ATTEMPT,
    git_hook_named::ATTEMPT,
    git_moved_away::ATTEMPT,
    git_settings::ATTEMPT,
    git_settings_included::ATTEMPT,
    git_settings_of_work_tree::ATTEMPT,
    git_settings_replaced::ATTEMPT,
    moved_socket::ATTEMPT,
    parent_moved_away::ATTEMPT,
    set_id_by_mode::ATTEMPT,
    set_id_when_made::ATTEMPT,
    socket_in_directory::ATTEMPT,
];
