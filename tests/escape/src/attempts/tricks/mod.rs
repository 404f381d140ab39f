//! Which attempts play with TCP and IP?

mod bind_to_device;
mod bind_to_loopback;
mod connection_repair;
mod control_ttl;
mod do_not_route;
mod encapsulation;
mod firewall_mark;
mod free_bind_dns;
mod free_bind_tcp;
mod free_bind_tcp6;
mod free_bind_udp;
mod half_closed;
mod large_datagram;
mod lease_after_dissolving;
mod lease_of_another_name;
mod overlapping_fragments;
mod packet_info;
mod packet_info6;
mod reconnected_socket;
mod record_route_tcp;
mod reset_injection;
mod segmentation_offload;
mod silence_first;
mod simultaneous_open;
mod socket_priority;
mod source_route_raw;
mod source_route_tcp;
mod source_route_udp;
mod source_spoofing;
mod timestamp_option_tcp;
mod tiny_fragment;
mod transparent;
mod unleased_address;
mod urgent_data;
mod zero_copy;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    bind_to_device::ATTEMPT,
    bind_to_loopback::ATTEMPT,
    connection_repair::ATTEMPT,
    control_ttl::ATTEMPT,
    do_not_route::ATTEMPT,
    encapsulation::ATTEMPT,
    firewall_mark::ATTEMPT,
    free_bind_dns::ATTEMPT,
    free_bind_tcp::ATTEMPT,
    free_bind_tcp6::ATTEMPT,
    free_bind_udp::ATTEMPT,
    half_closed::ATTEMPT,
    large_datagram::ATTEMPT,
    lease_after_dissolving::ATTEMPT,
    lease_of_another_name::ATTEMPT,
    overlapping_fragments::ATTEMPT,
    packet_info::ATTEMPT,
    packet_info6::ATTEMPT,
    reconnected_socket::ATTEMPT,
    record_route_tcp::ATTEMPT,
    reset_injection::ATTEMPT,
    segmentation_offload::ATTEMPT,
    silence_first::ATTEMPT,
    simultaneous_open::ATTEMPT,
    socket_priority::ATTEMPT,
    source_route_raw::ATTEMPT,
    source_route_tcp::ATTEMPT,
    source_route_udp::ATTEMPT,
    source_spoofing::ATTEMPT,
    timestamp_option_tcp::ATTEMPT,
    tiny_fragment::ATTEMPT,
    transparent::ATTEMPT,
    unleased_address::ATTEMPT,
    urgent_data::ATTEMPT,
    zero_copy::ATTEMPT,
];
