//! Which attempts go for what proves what the sandbox did?

mod forged_entry;
mod replaced_log;
mod signing_key;
mod state_directory;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    forged_entry::ATTEMPT,
    replaced_log::ATTEMPT,
    signing_key::ATTEMPT,
    state_directory::ATTEMPT,
];
