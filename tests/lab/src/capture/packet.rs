//! What is in a captured packet? A view of Ethernet, IP, TCP and UDP headers. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One captured packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The link it was seen on, such as `host/eth0` or `internet/wan0`.
    pub link: String,
    /// Whether it was leaving by that link rather than arriving.
    pub outgoing: bool,
    /// When, in nanoseconds since 1970.
    pub nanoseconds: u64,
    /// How long it was, in bytes.
    pub length: u32,
    /// Its bytes from the Ethernet header on, at most about 1,900.
    pub bytes: Vec<u8>,
}

/// What a packet carries above IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A TCP segment with these flags (FIN 1, SYN 2, RST 4, PSH 8, ACK 16).
    Tcp {
        /// The flags byte.
        flags: u8,
    },
    /// A UDP datagram.
    Udp,
    /// ICMP or ICMPv6, with its type.
    Icmp {
        /// The type byte.
        kind: u8,
    },
    /// Some other IP protocol, by number.
    Other(u8),
}

struct Ip<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    rest: &'a [u8],
}

impl Packet {
    /// Source address; the port is 0 where there is none.
    pub fn source(&self) -> Option<SocketAddr> {
        self.ip().map(|ip| SocketAddr::new(ip.source, self.port(0)))
    }

    /// Destination address; the port is 0 where there is none.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.ip().map(|ip| SocketAddr::new(ip.destination, self.port(2)))
    }

    /// What is above IP, or nothing if this is no IP packet.
    pub fn transport(&self) -> Option<Transport> {
        let ip = self.ip()?;
        Some(match ip.protocol {
            6 => Transport::Tcp { flags: *ip.rest.get(13)? },
            17 => Transport::Udp,
            1 | 58 => Transport::Icmp { kind: *ip.rest.first()? },
            other => Transport::Other(other),
        })
    }

    /// Whether this opens a TCP connection: SYN without ACK.
    pub fn is_syn(&self) -> bool {
        matches!(self.transport(), Some(Transport::Tcp { flags }) if flags & 0x12 == 0x02)
    }

    /// Whether this ends a TCP connection hard.
    pub fn is_reset(&self) -> bool {
        matches!(self.transport(), Some(Transport::Tcp { flags }) if flags & 0x04 != 0)
    }

    /// Whether this is what links send by themselves: ARP, neighbour and router discovery, multicast listener reports.
    pub fn is_housekeeping(&self) -> bool {
        match self.transport() {
            None => self.ethertype() == Some(0x0806),
            Some(Transport::Icmp { kind: 130..=137 | 143 }) => self.ethertype() == Some(0x86dd),
            Some(Transport::Other(2)) => true,
            Some(_) => false,
        }
    }

    /// The bytes that TCP or UDP carry; empty for everything else.
    pub fn payload(&self) -> &[u8] {
        let Some(ip) = self.ip() else { return &[] };
        let start = match ip.protocol {
            6 => ip.rest.get(12).map_or(usize::MAX, |offset| usize::from(offset >> 4) * 4),
            17 => 8,
            _ => return &[],
        };
        ip.rest.get(start..).unwrap_or_default()
    }

    fn ethertype(&self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.bytes.get(12..)?.first_chunk()?))
    }

    fn ip(&self) -> Option<Ip<'_>> {
        let bytes = self.bytes.get(14..)?;
        match self.ethertype()? {
            0x0800 => v4(bytes),
            0x86dd => v6(bytes),
            _ => None,
        }
    }

    fn port(&self, offset: usize) -> u16 {
        let ip = self.ip().filter(|ip| matches!(ip.protocol, 6 | 17));
        ip.and_then(|ip| Some(u16::from_be_bytes(*ip.rest.get(offset..)?.first_chunk()?))).unwrap_or(0)
    }
}

fn v4(bytes: &[u8]) -> Option<Ip<'_>> {
    let source = Ipv4Addr::from(*bytes.get(12..)?.first_chunk::<4>()?).into();
    let destination = Ipv4Addr::from(*bytes.get(16..)?.first_chunk::<4>()?).into();
    let (header, total) = (usize::from(bytes[0] & 15) * 4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]])));
    let end = if total < header { bytes.len() } else { total.min(bytes.len()) };
    Some(Ip { source, destination, protocol: bytes[9], rest: bytes.get(header..end)? })
}

/// Steps over hop-by-hop options, which multicast listener reports carry.
fn v6(bytes: &[u8]) -> Option<Ip<'_>> {
    let source = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?).into();
    let destination = Ipv6Addr::from(*bytes.get(24..)?.first_chunk::<16>()?).into();
    let (mut protocol, mut rest) = (bytes[6], bytes.get(40..)?);
    if protocol == 0 {
        protocol = *rest.first()?;
        rest = rest.get(8 + usize::from(*rest.get(1)?) * 8..)?;
    }
    Some(Ip { source, destination, protocol, rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(bytes: &[u8]) -> Packet {
        Packet { link: "host/eth0".into(), outgoing: true, nanoseconds: 0, length: 0, bytes: bytes.to_vec() }
    }

    fn syn() -> Vec<u8> {
        let mut bytes = vec![0; 12];
        bytes.extend([0x08, 0x00, 0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 11, 0, 0, 2, 11, 1, 0, 1]);
        bytes.extend([0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0]);
        bytes.extend(b"data");
        bytes
    }

    #[test]
    fn a_syn_is_seen_with_both_addresses_and_its_payload() {
        let packet = packet(&syn());
        assert!(packet.is_syn() && !packet.is_reset() && !packet.is_housekeeping());
        assert_eq!(packet.source(), Some("11.0.0.2:40000".parse().unwrap()));
        assert_eq!(packet.destination(), Some("11.1.0.1:443".parse().unwrap()));
        assert_eq!(packet.payload(), b"data");
    }

    #[test]
    fn cut_packets_are_read_as_far_as_they_go() {
        let whole = syn();
        for end in 0..whole.len() {
            let cut = packet(&whole[..end]);
            let _ = (cut.source(), cut.destination(), cut.transport(), cut.payload(), cut.is_housekeeping());
        }
    }
}
