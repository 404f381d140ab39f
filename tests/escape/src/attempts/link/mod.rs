//! Which attempts write frames?

mod arp_claim;
mod arp_request;
mod bpdu;
mod datagram_bypass;
mod double_vlan;
mod eapol;
mod foreign_mac;
mod frame_tcp;
mod frame_to_itself;
mod frame_udp4;
mod frame_udp6;
mod lldp;
mod mpls;
mod old_packet_socket;
mod packet_raw;
mod pppoe;
mod qdisc_bypass;
mod transmit_ring;
mod vlan;
mod wake_on_lan;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    arp_claim::ATTEMPT,
    arp_request::ATTEMPT,
    bpdu::ATTEMPT,
    datagram_bypass::ATTEMPT,
    double_vlan::ATTEMPT,
    eapol::ATTEMPT,
    foreign_mac::ATTEMPT,
    frame_tcp::ATTEMPT,
    frame_to_itself::ATTEMPT,
    frame_udp4::ATTEMPT,
    frame_udp6::ATTEMPT,
    lldp::ATTEMPT,
    mpls::ATTEMPT,
    old_packet_socket::ATTEMPT,
    packet_raw::ATTEMPT,
    pppoe::ATTEMPT,
    qdisc_bypass::ATTEMPT,
    transmit_ring::ATTEMPT,
    vlan::ATTEMPT,
    wake_on_lan::ATTEMPT,
];
