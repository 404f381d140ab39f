//! Which attempts change the network that they are in?

mod address_added;
mod link_bridge;
mod link_dummy;
mod link_gre;
mod link_ipvlan;
mod link_macvlan;
mod link_vlan;
mod link_vxlan;
mod link_wireguard;
mod neighbour_added;
mod queue_added;
mod raw_by_new_root;
mod route_added;
mod rules_flushed_by_new_root;
mod setting_filters;
mod setting_forwarding;
mod tap_device;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    address_added::ATTEMPT,
    link_bridge::ATTEMPT,
    link_dummy::ATTEMPT,
    link_gre::ATTEMPT,
    link_ipvlan::ATTEMPT,
    link_macvlan::ATTEMPT,
    link_vlan::ATTEMPT,
    link_vxlan::ATTEMPT,
    link_wireguard::ATTEMPT,
    neighbour_added::ATTEMPT,
    queue_added::ATTEMPT,
    raw_by_new_root::ATTEMPT,
    route_added::ATTEMPT,
    rules_flushed_by_new_root::ATTEMPT,
    setting_filters::ATTEMPT,
    setting_forwarding::ATTEMPT,
    tap_device::ATTEMPT,
];
