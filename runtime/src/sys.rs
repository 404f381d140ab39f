//! Which system calls have no safe wrapper? Every `unsafe` block of this crate, each with its reason.
