//! Which attempts change the ground that the sandbox stands on: rules, routes, namespaces?

mod new_namespaces;
mod nft_flush;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    new_namespaces::ATTEMPT,
    nft_flush::ATTEMPT,
];
