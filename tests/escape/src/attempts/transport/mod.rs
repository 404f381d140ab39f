//! Which attempts send packets?

mod ah;
mod broadcast;
mod dccp;
mod dccp_raw;
mod esp;
mod etherip;
mod fast_open;
mod gre;
mod header_included;
mod icmp6_echo;
mod icmp_echo;
mod icmp_redirect;
mod icmp_timestamp;
mod icmp_unreachable;
mod igmp_raw;
mod ip_in_ip;
mod ipv6_in_ip;
mod l2tp;
mod link_local6;
mod listener_report;
mod mptcp;
mod multicast;
mod multicast6;
mod multicast_membership;
mod neighbour_advertisement;
mod neighbour_solicitation;
mod ospf;
mod packet_socket;
mod ping6_socket;
mod ping_socket;
mod protocol_255;
mod raw6_253;
mod raw6_destination_options;
mod raw6_fragment;
mod raw6_no_next_header;
mod raw6_routing;
mod raw6_sctp;
mod raw6_udp;
mod raw_ip;
mod router_advertisement;
mod router_solicitation;
mod sctp_one_to_many;
mod sctp_one_to_one;
mod sctp_raw;
mod tcp6_literal;
mod tcp_literal;
mod tcp_raw;
mod udp6_literal;
mod udp_lite;
mod udp_lite_raw;
mod udp_literal;
mod udp_raw;
mod vrrp;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    ah::ATTEMPT,
    broadcast::ATTEMPT,
    dccp::ATTEMPT,
    dccp_raw::ATTEMPT,
    esp::ATTEMPT,
    etherip::ATTEMPT,
    fast_open::ATTEMPT,
    gre::ATTEMPT,
    header_included::ATTEMPT,
    icmp6_echo::ATTEMPT,
    icmp_echo::ATTEMPT,
    icmp_redirect::ATTEMPT,
    icmp_timestamp::ATTEMPT,
    icmp_unreachable::ATTEMPT,
    igmp_raw::ATTEMPT,
    ip_in_ip::ATTEMPT,
    ipv6_in_ip::ATTEMPT,
    l2tp::ATTEMPT,
    link_local6::ATTEMPT,
    listener_report::ATTEMPT,
    mptcp::ATTEMPT,
    multicast::ATTEMPT,
    multicast6::ATTEMPT,
    multicast_membership::ATTEMPT,
    neighbour_advertisement::ATTEMPT,
    neighbour_solicitation::ATTEMPT,
    ospf::ATTEMPT,
    packet_socket::ATTEMPT,
    ping6_socket::ATTEMPT,
    ping_socket::ATTEMPT,
    protocol_255::ATTEMPT,
    raw6_253::ATTEMPT,
    raw6_destination_options::ATTEMPT,
    raw6_fragment::ATTEMPT,
    raw6_no_next_header::ATTEMPT,
    raw6_routing::ATTEMPT,
    raw6_sctp::ATTEMPT,
    raw6_udp::ATTEMPT,
    raw_ip::ATTEMPT,
    router_advertisement::ATTEMPT,
    router_solicitation::ATTEMPT,
    sctp_one_to_many::ATTEMPT,
    sctp_one_to_one::ATTEMPT,
    sctp_raw::ATTEMPT,
    tcp6_literal::ATTEMPT,
    tcp_literal::ATTEMPT,
    tcp_raw::ATTEMPT,
    udp6_literal::ATTEMPT,
    udp_lite::ATTEMPT,
    udp_lite_raw::ATTEMPT,
    udp_literal::ATTEMPT,
    udp_raw::ATTEMPT,
    vrrp::ATTEMPT,
];
