//! Who takes datagrams? DNS, an echo, and sinks on the ports that bypasses like; each answers from the address it was asked at.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrLike, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};

use super::{Internet, dns};
use crate::journal::{DnsQuery, Received};

const DNS: u16 = 53;
const ECHO: u16 = 7;
/// discard, tftp, ntp, QUIC, DNS over TLS and QUIC, multicast DNS, and one that means nothing.
const SINKS: [u16; 7] = [9, 69, 123, 443, 853, 5353, 9999];

/// Starts a thread for each port and family.
pub(super) fn start(internet: &Arc<Internet>) -> io::Result<()> {
    for port in SINKS.into_iter().chain([DNS, ECHO]) {
        for socket in [bind_v4(port)?, bind_v6(port)?] {
            let internet = Arc::clone(internet);
            thread::Builder::new().name(format!("udp-{port}")).spawn(move || serve(&internet, &socket, port))?;
        }
    }
    Ok(())
}

fn bind_v4(port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    Ok(socket)
}

/// Free binding lets it answer from addresses that only routes make local.
fn bind_v6(port: u16) -> io::Result<UdpSocket> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn6, bind, socket};
    let socket = socket(AddressFamily::Inet6, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    setsockopt(&socket, sockopt::IpFreebind, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0)))?;
    Ok(UdpSocket::from(socket))
}

fn serve(internet: &Internet, socket: &UdpSocket, port: u16) {
    let mut buffer = vec![0; 65_536];
    loop {
        match receive(socket, &mut buffer, port) {
            Ok((length, from, to)) => {
                if let Some(answer) = answer(internet, port, &buffer[..length], from, to) {
                    // A datagram that can't be sent is lost, as datagrams are.
                    let _ = send(socket, &answer, to, from);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return eprintln!("bottle-lab world: udp {port}: {error}"),
        }
    }
}

fn answer(internet: &Internet, port: u16, bytes: &[u8], from: SocketAddr, to: SocketAddr) -> Option<Vec<u8>> {
    let journal = &internet.journal;
    // In one step: who waits for a datagram must not see it without its bytes.
    let entry = |service| {
        let mut received = Received::new(service, from, to);
        received.count(bytes);
        drop(journal.open(received));
    };
    if port == DNS {
        let Some(reply) = dns::reply(bytes, &mut internet.zone(), dns::Way::Datagram) else {
            entry("udp");
            return None;
        };
        let (name, kind) = reply.question;
        journal.query(DnsQuery { from, to, tcp: false, name, kind });
        return reply.bytes;
    }
    entry("udp");
    (port == ECHO).then(|| bytes.to_vec())
}

fn receive(socket: &UdpSocket, buffer: &mut [u8], port: u16) -> io::Result<(usize, SocketAddr, SocketAddr)> {
    let mut room = nix::cmsg_space!(nix::libc::in6_pktinfo, nix::libc::in_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut room), MsgFlags::empty())?;
    let from = got.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
    let to = got.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(SocketAddr::from((Ipv4Addr::from_bits(u32::from_be(info.ipi_addr.s_addr)), port)))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(SocketAddr::from((info.ipi6_addr.s6_addr, port))),
        _ => None,
    });
    Ok((got.bytes, from, to.ok_or(io::ErrorKind::InvalidData)?))
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|address| SocketAddrV4::from(*address).into());
    v4.or_else(|| storage.as_sockaddr_in6().map(|address| SocketAddrV6::from(*address).into()))
}

fn send(socket: &UdpSocket, bytes: &[u8], from: SocketAddr, to: SocketAddr) -> io::Result<()> {
    let parts = [IoSlice::new(bytes)];
    let target = SockaddrStorage::from(to);
    debug_assert!(target.len() > 0);
    let (v4, v6);
    let info = match from {
        SocketAddr::V4(from) => {
            let source = nix::libc::in_addr { s_addr: from.ip().to_bits().to_be() };
            v4 = nix::libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: source };
            ControlMessage::Ipv4PacketInfo(&v4)
        }
        SocketAddr::V6(from) => {
            let source = nix::libc::in6_addr { s6_addr: from.ip().octets() };
            v6 = nix::libc::in6_pktinfo { ipi6_ifindex: 0, ipi6_addr: source };
            ControlMessage::Ipv6PacketInfo(&v6)
        }
    };
    sendmsg(socket.as_raw_fd(), &parts, &[info], MsgFlags::empty(), Some(&target))?;
    Ok(())
}
