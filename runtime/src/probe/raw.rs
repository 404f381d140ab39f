//! Do raw, ICMP and packet sockets, where they can be opened at all, find anything but a refusal?
//!
//! Inside the final confinement these sockets can't be opened, which is a refusal. Before it, with CAP_NET_RAW,
//! they can, and then the packet itself must be refused: that is the floor that holds without confinement.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, ipproto};

use super::{UNLEASED_V4, datagram, word};

/// An ICMP echo request, through whichever socket can be had.
pub(super) fn echo() -> String {
    const ECHO: [u8; 8] = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
    outcome(open(AddressFamily::INET, Some(ipproto::ICMP)).and_then(|socket| send_to(&socket, &ECHO)))
}

/// A bare IP datagram of a protocol that nothing here speaks (253, RFC 3692).
pub(super) fn ip() -> String {
    let protocol = Protocol::from_raw(std::num::NonZeroU32::new(253).unwrap_or(std::num::NonZeroU32::MIN));
    outcome(open(AddressFamily::INET, Some(protocol)).and_then(|socket| send_to(&socket, b"bottle probe")))
}

fn open(family: AddressFamily, protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, SocketType::RAW, flags, protocol)?)
}

fn send_to(socket: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    let IpAddr::V4(address) = UNLEASED_V4 else { return Err(io::ErrorKind::Unsupported.into()) };
    let to = SocketAddr::V4(SocketAddrV4::new(address, 0));
    Ok(rustix::net::sendto(socket, bytes, SendFlags::empty(), &to)?)
}

fn outcome(result: io::Result<usize>) -> String {
    match result {
        Ok(length) => format!("{length} bytes left"),
        Err(error) => word(&error),
    }
}

/// A UDP datagram in a hand-made frame, which skips the namespace's own output hook: the gate must refuse it, and
/// its ICMP error comes back to an ordinary socket with the same ports.
pub(super) fn packet() -> String {
    match through_packet_socket() {
        Ok(length) => format!("{length} bytes came back"),
        Err(error) => word(&error),
    }
}

fn through_packet_socket() -> io::Result<usize> {
    let socket = crate::sys::packet_socket("eth0")?;
    let listener = datagram::open(UNLEASED_V4)?;
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (listener.local_addr()?, listener.peer_addr()?) else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    rustix::io::write(&socket, &frame(from, to, b"bottle probe"))?;
    let answer = listener.recv(&mut [0; 64]);
    // Closing it takes the kernel several milliseconds, which the end of the probing process spends out of the way.
    std::mem::forget(socket);
    answer
}

/// Ethernet, IPv4 and UDP (without checksum) around a payload, from the agent's fixed MAC to the gate's.
fn frame(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let udp_length = 8 + payload.len() as u16;
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00];
    bytes.extend(ip_header(*from.ip(), *to.ip(), 20 + udp_length));
    for field in [from.port(), to.port(), udp_length, 0] {
        bytes.extend(field.to_be_bytes());
    }
    bytes.extend(payload);
    bytes
}

fn ip_header(from: Ipv4Addr, to: Ipv4Addr, length: u16) -> [u8; 20] {
    let mut header = [0; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&length.to_be_bytes());
    header[8] = 64;
    header[9] = 17;
    header[12..16].copy_from_slice(&from.octets());
    header[16..20].copy_from_slice(&to.octets());
    let sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    header[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ip_header_carries_its_checksum() {
        let header = ip_header(Ipv4Addr::new(28, 0, 0, 2), Ipv4Addr::new(28, 0, 255, 254), 40);
        let sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }
}
