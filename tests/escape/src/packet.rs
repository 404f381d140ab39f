//! What do packets look like that no ordinary socket makes? Headers as bytes, with their checksums.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

/// The internet's checksum over all parts as if they were one.
pub(crate) fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let bytes = parts.concat();
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// An IPv4 header; options are whole words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ipv4<'a> {
    pub(crate) protocol: u8,
    pub(crate) from: Ipv4Addr,
    pub(crate) to: Ipv4Addr,
    pub(crate) id: u16,
    /// Flags and offset, as in the header: 0x2000 is "more fragments".
    pub(crate) fragment: u16,
    pub(crate) options: &'a [u8],
}

impl Ipv4<'_> {
    pub(crate) fn new(protocol: u8, from: Ipv4Addr, to: Ipv4Addr) -> Self {
        Self { protocol, from, to, id: 0x6573, fragment: 0, options: &[] }
    }

    pub(crate) fn with(&self, payload: &[u8]) -> Vec<u8> {
        let words = 5 + self.options.len() as u8 / 4;
        let length = u16::from(words) * 4 + payload.len() as u16;
        let mut head = vec![0x40 | words, 0];
        head.extend([length, self.id, self.fragment].into_iter().flat_map(u16::to_be_bytes));
        head.extend([64, self.protocol, 0, 0]);
        head.extend([self.from.octets(), self.to.octets()].concat());
        head.extend(self.options);
        let sum = checksum(&[&head]);
        head[10..12].copy_from_slice(&sum);
        [&head, payload].concat()
    }
}

/// An IPv6 packet.
pub(crate) fn ipv6(next: u8, from: Ipv6Addr, to: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let head = [&[0x60, 0, 0, 0][..], &(payload.len() as u16).to_be_bytes(), &[next, 255]].concat();
    [&head[..], &from.octets(), &to.octets(), payload].concat()
}

/// A UDP datagram over IPv4, which needs no checksum.
pub(crate) fn udp(from: u16, to: u16, data: &[u8]) -> Vec<u8> {
    let length = 8 + data.len() as u16;
    [&[from, to, length, 0].map(u16::to_be_bytes).concat()[..], data].concat()
}

/// A UDP datagram over IPv6.
pub(crate) fn udp6(from: SocketAddrV6, to: SocketAddrV6, data: &[u8]) -> Vec<u8> {
    let mut out = udp(from.port(), to.port(), data);
    let length = (out.len() as u32).to_be_bytes();
    let sum = checksum(&[&from.ip().octets(), &to.ip().octets(), &length, &[0, 0, 0, 17], &out]);
    out[6..8].copy_from_slice(&sum);
    out
}

/// Flags of a TCP segment.
pub(crate) mod flags {
    pub(crate) const SYN: u8 = 2;
    pub(crate) const RST: u8 = 4;
    pub(crate) const ACK: u8 = 16;
}

/// A TCP segment over IPv4.
pub(crate) fn tcp(from: SocketAddrV4, to: SocketAddrV4, flags: u8, data: &[u8]) -> Vec<u8> {
    let ports = [from.port(), to.port()].map(u16::to_be_bytes).concat();
    let mut out = [&ports[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0], data].concat();
    let length = (out.len() as u16).to_be_bytes();
    let sum = checksum(&[&from.ip().octets(), &to.ip().octets(), &[0, 6], &length, &out]);
    out[16..18].copy_from_slice(&sum);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_its_checksum_sums_to_zero() {
        let head =
            Ipv4 { options: &[1, 1, 1, 1], ..Ipv4::new(17, [11, 0, 0, 1].into(), [11, 0, 0, 2].into()) }.with(&[]);
        assert_eq!(head.len(), 24);
        assert_eq!(checksum(&[&head]), [0, 0]);
    }

    #[test]
    fn a_segment_with_its_checksum_sums_to_zero() {
        let (from, to) = ("11.0.0.1:1".parse().unwrap(), "11.0.0.2:2".parse().unwrap());
        let segment = tcp(from, to, flags::SYN, b"odd");
        let pseudo = [&[11, 0, 0, 1, 11, 0, 0, 2, 0, 6, 0][..], &[segment.len() as u8]].concat();
        assert_eq!(checksum(&[&pseudo, &segment]), [0, 0]);
    }
}
