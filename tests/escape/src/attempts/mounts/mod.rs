//! Which attempts change what is mounted, or go around it?

mod changed_root;
mod copied_tree;
mod file_handle;
mod remounted;
mod seen_outside;
mod uncovered;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    changed_root::ATTEMPT,
    copied_tree::ATTEMPT,
    file_handle::ATTEMPT,
    remounted::ATTEMPT,
    seen_outside::ATTEMPT,
    uncovered::ATTEMPT,
];
