//! Which packets were refused? (as the kernel describes them, at a limited rate)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use netlink_packet_core::NetlinkPayload;
use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_packet_netfilter::nflog::{ConfigCmd, ConfigMode, ConfigNla, config_request};
use nix::sys::socket::SockProtocol;
use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::layout::Layout;
use crate::survey::message::{Attributes, Message};
use crate::wire::{self, Wire, WireError};

/// How much of a packet is copied: enough for IPv6, a few extension headers and ports.
const SNAPPED: u32 = 128;

/// How many IPv6 extension headers are looked through.
const MOST_HEADERS: usize = 8;

/// `NFULNL_MSG_PACKET` of `NFNL_SUBSYS_ULOG`, and its attributes, of include/uapi/linux/netfilter/nfnetlink_log.h.
const PACKET: u16 = (libc::NFNL_SUBSYS_ULOG as u16) << 8;
const PAYLOAD: u16 = 9;
const PREFIX: u16 = 10;

/// One refused packet, as far as its first bytes show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its class.
    pub class: Class,
    /// The IP protocol number; `None` where the frame is not IP, or is cut short.
    pub protocol: Option<u8>,
    /// Who sent it.
    pub source: Option<IpAddr>,
    /// From which port.
    pub source_port: Option<u16>,
    /// To whom.
    pub destination: Option<IpAddr>,
    /// To which port.
    pub port: Option<u16>,
}

/// Opens an NFLOG socket in the current network namespace, bound to the layout's group.
pub(crate) fn open(layout: &Layout) -> Result<OwnedFd, WireError> {
    let wire = Wire::open(SockProtocol::NetlinkNetFilter)?;
    // Each description is delivered at once: they are few, and the last ones of a run must not be late.
    let nlas = vec![ConfigCmd::Bind.into(), ConfigMode::new_packet(SNAPPED).into(), ConfigNla::QThresh(1)];
    let request = config_request(NetfilterProtoFamily::Unspec, layout.log_group, nlas);
    let NetlinkPayload::InnerMessage(message) = request.payload else {
        return Err(WireError::Malformed("a request without a message".into()));
    };
    wire.perform(vec![(0, message)])?;
    let socket = OwnedFd::from(wire);
    wire::set_nonblocking(&socket)?;
    Ok(socket)
}

/// Reads one datagram of an NFLOG socket. What cannot be read as a packet is left out.
pub fn parse(datagram: &[u8]) -> Vec<Refusal> {
    let messages = wire::parse::<Message>(datagram).unwrap_or_default();
    messages.into_iter().filter_map(|message| refusal(message.payload)).collect()
}

fn refusal(payload: NetlinkPayload<Message>) -> Option<Refusal> {
    let NetlinkPayload::InnerMessage(message) = payload else {
        return None;
    };
    let attributes = Attributes::of(&message.attributes).ok().filter(|_| message.message_type == PACKET)?;
    let mut refusal = describe(attributes.value(PAYLOAD).unwrap_or_default());
    if let Some(class) = Class::named(&attributes.text(PREFIX)) {
        refusal.class = class;
    }
    Some(refusal)
}

/// Reads the first bytes of a packet, beginning with the IP header.
fn describe(packet: &[u8]) -> Refusal {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => describe_v4(packet),
        Some(6) => describe_v6(packet),
        _ => nothing(Class::Frame),
    }
}

fn describe_v4(packet: &[u8]) -> Refusal {
    let protocol = packet.get(9).copied();
    let address = |at| bytes(packet, at).map(|octets: [u8; 4]| IpAddr::V4(Ipv4Addr::from(octets)));
    let class = match protocol.map(i32::from) {
        Some(libc::IPPROTO_UDP) => Class::Udp4,
        Some(libc::IPPROTO_ICMP) => Class::Icmp4,
        Some(libc::IPPROTO_SCTP) => Class::Sctp4,
        Some(libc::IPPROTO_IGMP) => Class::Membership,
        _ => Class::Other4,
    };
    let later_fragment = bytes(packet, 6).is_some_and(|field| u16::from_be_bytes(field) & 0x1fff != 0);
    let header = packet.first().map_or(0, |byte| usize::from(byte & 0x0f) * 4);
    let payload = if later_fragment { None } else { packet.get(header..) };
    let (source_port, port) = ports(protocol, payload);
    Refusal { class, protocol, source: address(12), source_port, destination: address(16), port }
}

fn describe_v6(packet: &[u8]) -> Refusal {
    let address = |at| bytes(packet, at).map(|octets: [u8; 16]| IpAddr::V6(Ipv6Addr::from(octets)));
    let (protocol, payload) = past_extension_headers(packet);
    let class = match protocol.map(i32::from) {
        Some(libc::IPPROTO_UDP) => Class::Udp6,
        Some(libc::IPPROTO_ICMPV6) => Class::Icmp6,
        Some(libc::IPPROTO_SCTP) => Class::Sctp6,
        _ => Class::Other6,
    };
    let (source_port, port) = ports(protocol, payload);
    Refusal { class, protocol, source: address(8), source_port, destination: address(24), port }
}

fn past_extension_headers(packet: &[u8]) -> (Option<u8>, Option<&[u8]>) {
    let mut protocol = packet.get(6).copied();
    let mut rest = packet.get(40..);
    for _ in 0..MOST_HEADERS {
        let length = match (protocol.map(i32::from), rest) {
            (Some(libc::IPPROTO_HOPOPTS | libc::IPPROTO_ROUTING | libc::IPPROTO_DSTOPTS), Some(header)) => {
                header.get(1).map(|units| (usize::from(*units) + 1) * 8)
            }
            (Some(libc::IPPROTO_FRAGMENT), Some(_)) => Some(8),
            _ => return (protocol, rest),
        };
        protocol = rest.and_then(|header| header.first().copied());
        rest = length.and_then(|length| rest.and_then(|header| header.get(length..)));
    }
    (protocol, None)
}

fn ports(protocol: Option<u8>, payload: Option<&[u8]>) -> (Option<u16>, Option<u16>) {
    let has_ports = matches!(
        protocol.map(i32::from),
        Some(libc::IPPROTO_TCP | libc::IPPROTO_UDP | libc::IPPROTO_SCTP | libc::IPPROTO_DCCP | libc::IPPROTO_UDPLITE)
    );
    match payload {
        Some(payload) if has_ports => {
            (bytes(payload, 0).map(u16::from_be_bytes), bytes(payload, 2).map(u16::from_be_bytes))
        }
        _ => (None, None),
    }
}

fn bytes<const N: usize>(packet: &[u8], at: usize) -> Option<[u8; N]> {
    packet.get(at..)?.first_chunk().copied()
}

fn nothing(class: Class) -> Refusal {
    Refusal { class, protocol: None, source: None, source_port: None, destination: None, port: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp4() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 28, 0, 0, 2, 11, 0, 0, 1];
        packet.extend([0x30, 0x39, 0x01, 0xbb, 0, 12, 0, 0, 1, 2, 3, 4]);
        packet
    }

    fn udp6_behind_options() -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 16, 0, 64];
        packet.extend("fd28::2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("2a00::1".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend([17, 0, 1, 4, 0, 0, 0, 0]);
        packet.extend([0x30, 0x39, 0x01, 0xbb, 0, 8, 0, 0]);
        packet
    }

    #[test]
    fn a_udp_packet_shows_its_class_addresses_and_ports() {
        let refusal = describe(&udp4());
        assert_eq!(refusal.class, Class::Udp4);
        assert_eq!(refusal.destination, Some("11.0.0.1".parse().unwrap()));
        assert_eq!((refusal.source_port, refusal.port), (Some(12345), Some(443)));
    }

    #[test]
    fn the_protocol_behind_ipv6_extension_headers_is_found() {
        let refusal = describe(&udp6_behind_options());
        assert_eq!(refusal.class, Class::Udp6);
        assert_eq!((refusal.protocol, refusal.port), (Some(17), Some(443)));
    }

    #[test]
    fn a_later_fragment_shows_no_ports() {
        let mut packet = udp4();
        packet[7] = 8;
        assert_eq!(describe(&packet).port, None);
    }

    #[test]
    fn packets_cut_anywhere_are_described_without_a_panic() {
        for packet in [udp4(), udp6_behind_options()] {
            for length in 0..packet.len() {
                describe(&packet[..length]);
            }
        }
    }

    #[test]
    fn any_datagram_is_read_without_a_panic() {
        let mut seed = 1_u32;
        for length in 0..512 {
            let noise: Vec<u8> = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            parse(&noise);
            describe(&noise);
        }
    }
}
