//! Which attempts go from one sandbox to another?

mod neighbour_socket;
mod neighbour_tcp;
mod neighbour_udp;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    neighbour_socket::ATTEMPT,
    neighbour_tcp::ATTEMPT,
    neighbour_udp::ATTEMPT,
];
