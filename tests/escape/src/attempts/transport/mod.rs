//! Which attempts send packets?

mod icmp6_echo;
mod icmp_echo;
mod packet_socket;
mod raw_ip;
mod tcp_literal;
mod udp_literal;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    icmp6_echo::ATTEMPT,
    icmp_echo::ATTEMPT,
    packet_socket::ATTEMPT,
    raw_ip::ATTEMPT,
    tcp_literal::ATTEMPT,
    udp_literal::ATTEMPT,
];
