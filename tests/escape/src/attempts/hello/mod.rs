//! Which attempts make many ClientHellos out of one?

mod split_everywhere;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    split_everywhere::ATTEMPT,
];
