//! How do tests send what no ordinary program sends?
//!
//! The only file of the tests with `unsafe` code.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::AddressFamily;

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;

/// The gate's hardware address.
pub(crate) const GATE: [u8; 6] = [2, 0, 0, 0, 0, 1];

const AGENT: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// A raw IP socket for any protocol.
pub(crate) fn ip_socket(family: AddressFamily, protocol: i32) -> OwnedFd {
    open(family as i32, protocol)
}

/// A packet socket, which sees nothing and sends whole frames.
pub(crate) fn sender() -> OwnedFd {
    open(libc::AF_PACKET, 0)
}

/// A packet socket that sees every frame.
pub(crate) fn listener() -> OwnedFd {
    open(libc::AF_PACKET, i32::from((libc::ETH_P_ALL as u16).to_be()))
}

fn open(family: i32, protocol: i32) -> OwnedFd {
    // SAFETY: no pointer is passed.
    let raw = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    let raw = Errno::result(raw).expect("CAP_NET_RAW");
    // SAFETY: the kernel has just returned this descriptor to us; nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// Takes over a descriptor that came over a socket.
pub(crate) fn owned(received: RawFd) -> OwnedFd {
    // SAFETY: the kernel put this descriptor into our table for the message that named it, and each is taken once.
    unsafe { OwnedFd::from_raw_fd(received) }
}

/// Standard input, where it is a socket.
pub(crate) fn standard_input() -> UnixStream {
    UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().expect("standard input is open"))
}

/// Sends one frame from eth0, past the agent's own rules.
pub(crate) fn frame(ethertype: u16, payload: &[u8], to: [u8; 6]) {
    send(&sender(), ethertype, payload, to);
}

/// Sends one frame over this socket.
pub(crate) fn send(socket: &OwnedFd, ethertype: u16, payload: &[u8], to: [u8; 6]) {
    let bytes = [&to[..], &AGENT, &ethertype.to_be_bytes(), payload].concat();
    // SAFETY: all-zero is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = nix::net::if_::if_nametoindex("eth0").expect("the agent's device") as i32;
    // SAFETY: the pointers and lengths describe `bytes` and `address`, which outlive the call.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            0,
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as u32,
        )
    };
    assert_eq!(Errno::result(sent), Ok(bytes.len() as isize));
}

/// A UDP packet over IPv4 with four bytes of data.
pub(crate) fn udp4(from: [u8; 4], to: [u8; 4], port: u16) -> Vec<u8> {
    let mut udp = [&5555_u16.to_be_bytes()[..], &port.to_be_bytes(), &[0, 12, 0, 0], b"data"].concat();
    let mut packet = header4(17, from, to, udp.len());
    packet.append(&mut udp);
    packet
}

/// A TCP packet over IPv4 without data.
pub(crate) fn tcp4(from: [u8; 4], to: [u8; 4], source: u16, port: u16, flags: u8) -> Vec<u8> {
    let mut tcp =
        [&source.to_be_bytes()[..], &port.to_be_bytes(), &[0; 8], &[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]].concat();
    let pseudo = [&from[..], &to, &[0, 6, 0, 20], &tcp].concat();
    let sum = checksum(&pseudo);
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let mut packet = header4(6, from, to, tcp.len());
    packet.append(&mut tcp);
    packet
}

/// A UDP packet over IPv6 with four bytes of data.
pub(crate) fn udp6(from: &str, to: &str, port: u16) -> Vec<u8> {
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let udp = [&5555_u16.to_be_bytes()[..], &port.to_be_bytes(), &[0, 12, 0, 0], b"data"].concat();
    [&[0x60, 0, 0, 0, 0, 12, 17, 64][..], &address(from), &address(to), &udp].concat()
}

fn header4(protocol: u8, from: [u8; 4], to: [u8; 4], payload: usize) -> Vec<u8> {
    let length = (20 + payload) as u16;
    let (from, to) = (Ipv4Addr::from(from).octets(), Ipv4Addr::from(to).octets());
    let mut header = [&[0x45, 0][..], &length.to_be_bytes(), &[0, 0, 0, 0, 64, protocol, 0, 0], &from, &to].concat();
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
