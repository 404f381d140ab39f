//! Which attempts use other families of sockets, or other ways to call the kernel?

mod another_kernel;
mod appletalk;
mod atm;
mod ax25;
mod bluetooth;
mod bpf_program;
mod caif;
mod can_bus;
mod clone3;
mod high_bits_of_arguments;
mod high_bits_of_number;
mod i386;
mod ieee802154;
mod io_uring;
mod ipsec_keys;
mod ipx;
mod kcm;
mod kernel_crypto;
mod key_ring;
mod llc;
mod mctp;
mod netlink_audit;
mod netlink_connector;
mod netlink_diagnosis;
mod netlink_generic;
mod netlink_netfilter;
mod netlink_uevent;
mod netlink_user;
mod netlink_xfrm;
mod nfc;
mod numbers_without_a_call;
mod performance_events;
mod phonet;
mod pppox;
mod qipcrtr;
mod rds;
mod rxrpc;
mod smc;
mod tipc;
mod user_fault_handling;
mod vsock;
mod x25;
mod x32;
mod xdp_socket;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    another_kernel::ATTEMPT,
    appletalk::ATTEMPT,
    atm::ATTEMPT,
    ax25::ATTEMPT,
    bluetooth::ATTEMPT,
    bpf_program::ATTEMPT,
    caif::ATTEMPT,
    can_bus::ATTEMPT,
    clone3::ATTEMPT,
    high_bits_of_arguments::ATTEMPT,
    high_bits_of_number::ATTEMPT,
    i386::ATTEMPT,
    ieee802154::ATTEMPT,
    io_uring::ATTEMPT,
    ipsec_keys::ATTEMPT,
    ipx::ATTEMPT,
    kcm::ATTEMPT,
    kernel_crypto::ATTEMPT,
    key_ring::ATTEMPT,
    llc::ATTEMPT,
    mctp::ATTEMPT,
    netlink_audit::ATTEMPT,
    netlink_connector::ATTEMPT,
    netlink_diagnosis::ATTEMPT,
    netlink_generic::ATTEMPT,
    netlink_netfilter::ATTEMPT,
    netlink_uevent::ATTEMPT,
    netlink_user::ATTEMPT,
    netlink_xfrm::ATTEMPT,
    nfc::ATTEMPT,
    numbers_without_a_call::ATTEMPT,
    performance_events::ATTEMPT,
    phonet::ATTEMPT,
    pppox::ATTEMPT,
    qipcrtr::ATTEMPT,
    rds::ATTEMPT,
    rxrpc::ATTEMPT,
    smc::ATTEMPT,
    tipc::ATTEMPT,
    user_fault_handling::ATTEMPT,
    vsock::ATTEMPT,
    x25::ATTEMPT,
    x32::ATTEMPT,
    xdp_socket::ATTEMPT,
];
