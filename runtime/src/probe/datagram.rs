//! Is a UDP datagram refused at once?

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::{PATIENCE, word};

/// Sends to port 443, where QUIC would be; `refused` is right, and must come without waiting.
pub(super) fn send(address: IpAddr) -> String {
    match attempt(address) {
        Ok(length) => format!("{length} bytes came back"),
        Err(error) => word(&error),
    }
}

fn attempt(address: IpAddr) -> io::Result<usize> {
    let socket = open(address)?;
    socket.send(b"bottle probe")?;
    socket.recv(&mut [0; 64])
}

/// A socket connected to port 443 of the address, so that an ICMP error comes back to it.
fn open(address: IpAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(SocketAddr::new(address, 443))?;
    Ok(socket)
}
