//! Is a UDP datagram refused at once?

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::{PATIENCE, Rest, rest};

/// Sends to port 443, where QUIC would be; `refused` is right, and must come without waiting.
pub(super) fn send(address: IpAddr) -> Rest {
    rest(sent(address), |socket| Ok(format!("{} bytes came back", socket.recv(&mut [0; 64])?)))
}

fn sent(address: IpAddr) -> io::Result<UdpSocket> {
    let socket = open(address)?;
    socket.send(b"bottle probe")?;
    Ok(socket)
}

/// A socket connected to port 443 of the address, so that an ICMP error comes back to it.
fn open(address: IpAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(SocketAddr::new(address, 443))?;
    Ok(socket)
}
