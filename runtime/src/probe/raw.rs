//! Do raw, ICMP and packet sockets, where they can be opened at all, find anything but a refusal?
//!
//! Inside the final confinement these sockets can't be opened, which is a refusal. Before it, with CAP_NET_RAW,
//! they can, and then the packet itself must be refused: that is the floor that holds without confinement.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use bottle_netns::{Layout, Side};
use rustix::net::{AddressFamily, Protocol, SendFlags, SocketFlags, SocketType, ipproto};

use super::{PATIENCE, UNLEASED_V4, word};

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
/// its ICMP error is seen by the same socket. No other socket is opened, which a survey made meanwhile would have to list.
pub(super) fn packet() -> (String, Option<OwnedFd>) {
    match crate::sys::packet_socket("eth0", libc::ETH_P_IP as u16) {
        Ok(socket) => {
            let seen = exchange(&socket).map(|length| format!("{length} bytes came back"));
            (seen.unwrap_or_else(|error| word(&error)), Some(socket))
        }
        Err(error) => (word(&error), None),
    }
}

/// Returns the length of whatever answers the datagram.
fn exchange(socket: &OwnedFd) -> io::Result<usize> {
    const PORTS: (u16, u16) = (40_000, 443);
    rustix::net::sockopt::set_socket_timeout(socket, rustix::net::sockopt::Timeout::Recv, Some(PATIENCE))?;
    let IpAddr::V4(to) = UNLEASED_V4 else { return Err(io::ErrorKind::Unsupported.into()) };
    let from = Layout::default().end(Side::Agent).v4;
    let sent = frame(SocketAddrV4::new(from, PORTS.0), SocketAddrV4::new(to, PORTS.1), b"bottle probe");
    rustix::io::write(socket, &sent)?;
    let mut received = [0; 2048];
    // What others provoke at the same time comes by too; each wait is bounded, and so is what they provoke.
    for _ in 0..MOST_FRAMES {
        let length = rustix::io::read(socket, &mut received)?;
        match reply(&received[..length], &sent) {
            Some(Reply::Refusal) => return Err(rustix::io::Errno::CONNREFUSED.into()),
            Some(Reply::Data) => return Ok(length),
            None => {}
        }
    }
    Err(rustix::io::Errno::TIMEDOUT.into())
}

/// More than all probes together can provoke.
const MOST_FRAMES: usize = 1024;

/// How a frame answers the datagram that was sent.
#[derive(Debug, PartialEq)]
enum Reply {
    /// An ICMP error that quotes it.
    Refusal,
    /// A datagram from where it was sent.
    Data,
}

/// Offsets into a frame whose IPv4 header has no options.
const IP: usize = 14;
const PROTOCOL: usize = IP + 9;
const SOURCE: usize = IP + 12;
const TRANSPORT: usize = IP + 20;
/// Of a UDP datagram.
const PAYLOAD: usize = TRANSPORT + 8;
/// Length of what an ICMP error quotes for sure (RFC 792): the IPv4 header and the UDP header.
const QUOTED: usize = 28;

fn reply(frame: &[u8], sent: &[u8]) -> Option<Reply> {
    const ICMP: u8 = 1;
    const UDP: u8 = 17;
    const UNREACHABLE: u8 = 3;
    const ICMP_HEADER: usize = 8;
    let icmp = *frame.get(PROTOCOL)? == ICMP && *frame.get(TRANSPORT)? == UNREACHABLE;
    let quote = TRANSPORT + ICMP_HEADER;
    if icmp && frame.get(quote..quote + QUOTED)? == sent.get(IP..IP + QUOTED)? {
        return Some(Reply::Refusal);
    }
    let (asked, said) = (sent.get(SOURCE..PAYLOAD)?, frame.get(SOURCE..PAYLOAD)?);
    let turned = said[..4] == asked[4..8] && said[8..10] == asked[10..12] && said[10..12] == asked[8..10];
    (frame[PROTOCOL] == UDP && turned).then_some(Reply::Data)
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

    #[test]
    fn only_an_error_that_quotes_the_datagram_is_its_refusal() {
        let (here, there) = (Ipv4Addr::new(28, 0, 0, 2), Ipv4Addr::new(28, 0, 255, 254));
        let sent = frame(SocketAddrV4::new(here, 40_000), SocketAddrV4::new(there, 443), b"bottle probe");
        let mut error = sent[..IP].to_vec();
        error.extend(ip_header(there, here, 20 + 8 + QUOTED as u16));
        error.extend([3, 13, 0, 0, 0, 0, 0, 0]);
        error[PROTOCOL] = 1;
        let quote = error.len();
        error.extend(&sent[IP..IP + QUOTED]);
        assert_eq!(reply(&error, &sent), Some(Reply::Refusal));
        // Of another datagram, cut short, or no error at all.
        error[quote + 21] ^= 1;
        assert_eq!(reply(&error, &sent), None);
        assert_eq!(reply(&error[..quote], &sent), None);
        assert_eq!(reply(&sent, &sent), None);
        let answer = frame(SocketAddrV4::new(there, 443), SocketAddrV4::new(here, 40_000), b"so there");
        assert_eq!(reply(&answer, &sent), Some(Reply::Data));
        // What other probes provoke.
        let other = frame(SocketAddrV4::new(there, 443), SocketAddrV4::new(here, 40_001), b"so there");
        assert_eq!(reply(&other, &sent), None);
    }
}
