//! Which bytes does the kernel compare for a value of the model?

use std::net::IpAddr;

use netlink_packet_netfilter::nftables::MetaKey as KernelKey;
use nftables::expr::{Expression, MetaKey, PayloadField};

use super::EncodeError;

/// Where a header field lies: nf_tables' payload base, byte offset, length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) base: u32,
    pub(super) offset: u32,
    pub(super) length: u32,
}

const LINK: u32 = 0;
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// Where a named field lies.
pub(super) fn place(field: &PayloadField<'_>) -> Result<Place, EncodeError> {
    let (base, offset, length) = match (field.protocol.as_ref(), field.field.as_ref()) {
        ("ether", "daddr") => (LINK, 0, 6),
        ("ether", "type") => (LINK, 12, 2),
        ("ip", "saddr") => (NETWORK, 12, 4),
        ("ip", "daddr") => (NETWORK, 16, 4),
        ("ip6", "saddr") => (NETWORK, 8, 16),
        ("ip6", "daddr") => (NETWORK, 24, 16),
        ("tcp" | "udp", "sport") => (TRANSPORT, 0, 2),
        ("tcp" | "udp", "dport") => (TRANSPORT, 2, 2),
        ("tcp", "flags") => (TRANSPORT, 13, 1),
        ("icmp" | "icmpv6", "type") => (TRANSPORT, 0, 1),
        _ => return Err(EncodeError::unknown(field)),
    };
    Ok(Place { base, offset, length })
}

/// The kernel's number of a meta key.
pub(super) fn meta_key(key: MetaKey) -> Result<KernelKey, EncodeError> {
    match key {
        MetaKey::Iifname => Ok(KernelKey::Iifname),
        MetaKey::Oifname => Ok(KernelKey::Oifname),
        MetaKey::Iiftype => Ok(KernelKey::Iftype),
        MetaKey::Nfproto => Ok(KernelKey::Nfproto),
        MetaKey::L4proto => Ok(KernelKey::L4Proto),
        other => Err(EncodeError::unknown(other)),
    }
}

/// The bytes of a value that a meta key is compared with.
pub(super) fn of_meta(key: MetaKey, value: &Expression<'_>) -> Result<Vec<u8>, EncodeError> {
    let Expression::String(text) = value else {
        return Err(EncodeError::unknown(value));
    };
    match (key, text.as_ref()) {
        (MetaKey::Iifname | MetaKey::Oifname, name) if name.len() < libc::IFNAMSIZ => {
            let mut bytes = name.as_bytes().to_vec();
            bytes.resize(libc::IFNAMSIZ, 0);
            Ok(bytes)
        }
        (MetaKey::Iiftype, "ether") => Ok(libc::ARPHRD_ETHER.to_ne_bytes().to_vec()),
        (MetaKey::Nfproto, "ipv4") => Ok(vec![2]),
        (MetaKey::Nfproto, "ipv6") => Ok(vec![10]),
        (MetaKey::L4proto, name) => protocol(name).map(|number| vec![number]),
        _ => Err(EncodeError::unknown(value)),
    }
}

fn protocol(name: &str) -> Result<u8, EncodeError> {
    let number = match name {
        "icmp" => libc::IPPROTO_ICMP,
        "igmp" => libc::IPPROTO_IGMP,
        "tcp" => libc::IPPROTO_TCP,
        "udp" => libc::IPPROTO_UDP,
        "ipv6-icmp" => libc::IPPROTO_ICMPV6,
        "sctp" => libc::IPPROTO_SCTP,
        _ => return Err(EncodeError::unknown(name)),
    };
    u8::try_from(number).map_err(|_| EncodeError::unknown(name))
}

/// The bytes of a value that a header field is compared with.
pub(super) fn of_field(field: &PayloadField<'_>, value: &Expression<'_>) -> Result<Vec<u8>, EncodeError> {
    let unknown = || EncodeError::unknown((field, value));
    match (field.protocol.as_ref(), field.field.as_ref(), value) {
        (_, "sport" | "dport", Expression::Number(port)) => {
            u16::try_from(*port).map(|port| port.to_be_bytes().to_vec()).map_err(|_| unknown())
        }
        ("ip" | "ip6", _, Expression::String(text)) => match text.parse() {
            Ok(IpAddr::V4(address)) => Ok(address.octets().to_vec()),
            Ok(IpAddr::V6(address)) => Ok(address.octets().to_vec()),
            Err(_) => Err(unknown()),
        },
        ("ether", "daddr", Expression::String(text)) => {
            text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>().map_err(|_| unknown())
        }
        ("ether", "type", Expression::String(text)) => match text.as_ref() {
            "ip" => Ok(vec![0x08, 0x00]),
            "ip6" => Ok(vec![0x86, 0xdd]),
            _ => Err(unknown()),
        },
        ("icmp", "type", Expression::String(text)) if text == "destination-unreachable" => Ok(vec![3]),
        ("icmpv6", "type", Expression::String(text)) => icmpv6(text).map(|kind| vec![kind]).ok_or_else(unknown),
        _ => Err(unknown()),
    }
}

fn icmpv6(name: &str) -> Option<u8> {
    match name {
        "destination-unreachable" => Some(1),
        "mld-listener-query" => Some(130),
        "mld-listener-report" => Some(131),
        "mld-listener-done" => Some(132),
        "mld2-listener-report" => Some(143),
        _ => None,
    }
}

/// The bits of TCP flags: one name, or several joined by or.
pub(super) fn tcp_flags(value: &Expression<'_>) -> Result<u8, EncodeError> {
    use nftables::expr::BinaryOperation::OR;
    match value {
        Expression::String(name) => match name.as_ref() {
            "fin" => Ok(0x01),
            "syn" => Ok(0x02),
            "rst" => Ok(0x04),
            "ack" => Ok(0x10),
            _ => Err(EncodeError::unknown(value)),
        },
        Expression::BinaryOperation(operation) => match operation.as_ref() {
            OR(flags) => flags.iter().try_fold(0, |bits, flag| Ok(bits | tcp_flags(flag)?)),
            other => Err(EncodeError::unknown(other)),
        },
        other => Err(EncodeError::unknown(other)),
    }
}
