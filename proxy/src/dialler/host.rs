//! Is an address the host's own, or one that reaches it? The kernel's routing says, whatever the address looks like.

use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Knows the host's own addresses.
pub trait HostAddresses: Send + Sync {
    /// Whether the address is local, broadcast, anycast or multicast here. An error denies.
    fn is_local(&self, address: IpAddr) -> io::Result<bool>;
}

/// Asks the kernel for the route to each address, over a socket that was opened before confinement.
#[derive(Debug)]
pub struct HostRoutes {
    asking: Mutex<Asking>,
}

/// The routing socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open a routing socket")]
pub struct HostRoutesError(#[source] io::Error);

#[derive(Debug)]
struct Asking {
    socket: Socket,
    sequence: u32,
}

impl HostRoutes {
    /// Opens the socket in the current network namespace.
    pub fn open() -> Result<HostRoutes, HostRoutesError> {
        let socket = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(socket)
        };
        Ok(HostRoutes { asking: Mutex::new(Asking { socket: socket().map_err(HostRoutesError)?, sequence: 0 }) })
    }
}

impl HostAddresses for HostRoutes {
    fn is_local(&self, address: IpAddr) -> io::Result<bool> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = asking.route_type(address)?;
        Ok(matches!(kind, Some(RouteType::Local | RouteType::Broadcast | RouteType::Anycast | RouteType::Multicast)))
    }
}

impl Asking {
    /// The type of the route to `address`; nothing where there is no route.
    fn route_type(&mut self, address: IpAddr) -> io::Result<Option<RouteType>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = question(address, self.sequence);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            // The kernel has answered by the time send returns: waiting would mean that it never will.
            let mut answer = Vec::with_capacity(8192);
            self.socket.recv(&mut answer, rustix::net::RecvFlags::DONTWAIT.bits().cast_signed())?;
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if answer.header.sequence_number == self.sequence {
                return read(answer.payload);
            }
        }
    }
}

fn question(address: IpAddr, sequence: u32) -> NetlinkMessage<RouteNetlinkMessage> {
    let mut route = RouteMessage::default();
    let (family, bits, destination) = match address {
        IpAddr::V4(v4) => (AddressFamily::Inet, 32, RouteAddress::Inet(v4)),
        IpAddr::V6(v6) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(v6)),
    };
    route.header.address_family = family;
    route.header.destination_prefix_length = bits;
    route.attributes.push(RouteAttribute::Destination(destination));
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    header.sequence_number = sequence;
    NetlinkMessage::new(header, NetlinkPayload::from(RouteNetlinkMessage::GetRoute(route)))
}

fn read(payload: NetlinkPayload<RouteNetlinkMessage>) -> io::Result<Option<RouteType>> {
    use rustix::io::Errno;
    match payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) => Ok(Some(route.header.kind)),
        NetlinkPayload::Error(error) => match Errno::from_io_error(&error.to_io()) {
            // No route, or one that leads nowhere: the dial itself will fail.
            Some(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::ACCESS | Errno::INVAL) => Ok(None),
            _ => Err(error.to_io()),
        },
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_multicast_are_the_hosts_own() {
        let host = HostRoutes::open().expect("a routing socket");
        for text in ["127.0.0.1", "127.8.9.1", "::1"] {
            assert!(host.is_local(text.parse().expect("an address")).expect("an answer"), "{text}");
        }
    }
}
