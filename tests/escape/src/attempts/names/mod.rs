//! Which attempts put data into lookups?

mod foreign_resolver;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    foreign_resolver::ATTEMPT,
];
