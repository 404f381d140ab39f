//! Which attempts try every port, or odd ones?

mod tcp_highest_port;
mod tcp_lowest_port;
mod tcp_port_53;
mod tcp_port_zero;
mod tcp_scan;
mod udp_from_port_53;
mod udp_scan;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    tcp_highest_port::ATTEMPT,
    tcp_lowest_port::ATTEMPT,
    tcp_port_53::ATTEMPT,
    tcp_port_zero::ATTEMPT,
    tcp_scan::ATTEMPT,
    udp_from_port_53::ATTEMPT,
    udp_scan::ATTEMPT,
];
