//! Which sockets listen in each namespace?

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt};

use crate::build::BuildError;
use crate::layout::{Layout, Side};
use crate::sys;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Whether the socket may have addresses that are not local.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Addresses {
    Local,
    Any,
}

/// The gate's listeners for every destination.
pub(crate) fn transparent(layout: &Layout) -> Result<Vec<TcpListener>, BuildError> {
    layout.transparent().into_iter().map(|at| tcp(Side::Gate, at, Addresses::Any)).collect()
}

/// The gate's listeners for clients that know of a proxy.
pub(crate) fn explicit(layout: &Layout) -> Result<Vec<TcpListener>, BuildError> {
    layout.explicit().into_iter().map(|at| tcp(Side::Gate, at, Addresses::Local)).collect()
}

/// The DNS sockets of one namespace.
pub(crate) fn dns(layout: &Layout, side: Side) -> Result<(Vec<UdpSocket>, Vec<TcpListener>), BuildError> {
    let (places, addresses): (Vec<SocketAddr>, _) = match side {
        Side::Gate => (layout.dns().to_vec(), Addresses::Any),
        Side::Agent => {
            let at = |&address: &IpAddr| SocketAddr::new(address, layout.dns_port);
            (layout.loopback_resolvers.iter().map(at).collect(), Addresses::Local)
        }
    };
    let udp = places.iter().map(|&at| udp(side, at, addresses)).collect::<Result<_, _>>()?;
    let tcp = places.iter().map(|&at| tcp(side, at, addresses)).collect::<Result<_, _>>()?;
    Ok((udp, tcp))
}

fn tcp(side: Side, at: SocketAddr, addresses: Addresses) -> Result<TcpListener, BuildError> {
    let fail = |errno| BuildError::Socket { side, transport: "TCP", at, errno };
    let socket = open(at, SockType::Stream, addresses).map_err(fail)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true).map_err(fail)?;
    socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(at)).map_err(fail)?;
    Backlog::new(BACKLOG).and_then(|backlog| socket::listen(&socket, backlog)).map_err(fail)?;
    Ok(TcpListener::from(socket))
}

fn udp(side: Side, at: SocketAddr, addresses: Addresses) -> Result<UdpSocket, BuildError> {
    let fail = |errno| BuildError::Socket { side, transport: "UDP", at, errno };
    let socket = open(at, SockType::Datagram, addresses).map_err(fail)?;
    // The answer must leave from the address that was asked.
    match at {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true),
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true),
    }
    .map_err(fail)?;
    socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(at)).map_err(fail)?;
    Ok(UdpSocket::from(socket))
}

fn open(at: SocketAddr, kind: SockType, addresses: Addresses) -> Result<OwnedFd, Errno> {
    let family = if at.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket::socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    if at.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    if addresses == Addresses::Any {
        take_any_address(&socket, at)?;
    }
    Ok(socket)
}

fn take_any_address(socket: impl AsFd, at: SocketAddr) -> Result<(), Errno> {
    match at {
        SocketAddr::V4(_) => sys::set_option(socket, libc::SOL_IP, libc::IP_TRANSPARENT, 1),
        SocketAddr::V6(_) => sys::set_option(socket, libc::SOL_IPV6, libc::IPV6_TRANSPARENT, 1),
    }
}
