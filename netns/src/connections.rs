//! Which socket of the agent namespace is one end of a connection? By sock_diag, which finds it by its addresses and ports.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use netlink_packet_core::{DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;

use crate::wire::{Wire, WireError};

/// A request socket for connections, opened in the namespace that it asks about. It is for one thread.
#[derive(Debug)]
pub struct Connections(Wire);

impl Connections {
    /// Opens one in the current network namespace.
    pub fn open() -> Result<Connections, WireError> {
        Wire::open(SockProtocol::NetlinkSockDiag).map(Connections)
    }

    /// The inode of the TCP socket that has this address and is connected to that one; nothing where there is none, or where
    /// no process holds it any more.
    pub fn inode(&self, from: SocketAddr, to: SocketAddr) -> Result<Option<u64>, WireError> {
        match self.0.find(Diag::Request { from, to }) {
            Ok(Some(Diag::Found { inode })) if inode != 0 => Ok(Some(inode.into())),
            Ok(_) => Ok(None),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl From<OwnedFd> for Connections {
    fn from(socket: OwnedFd) -> Connections {
        Connections(socket.into())
    }
}

impl From<Connections> for OwnedFd {
    fn from(connections: Connections) -> OwnedFd {
        connections.0.into()
    }
}

/// SOCK_DIAG_BY_FAMILY.
const BY_FAMILY: u16 = 20;

/// Length of `inet_diag_req_v2`.
const REQUEST: usize = 56;

/// Where `inet_diag_sockid` lies in it: ports of four bytes together, addresses of 16 each, the device, the cookie.
const ID: usize = 8;

/// Where the inode lies in `inet_diag_msg`.
const INODE: usize = 68;

#[derive(Clone, Debug)]
enum Diag {
    Request { from: SocketAddr, to: SocketAddr },
    Found { inode: u32 },
}

impl NetlinkSerializable for Diag {
    fn message_type(&self) -> u16 {
        BY_FAMILY
    }

    fn buffer_len(&self) -> usize {
        REQUEST
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.fill(0);
        let Diag::Request { from, to } = self else { return };
        buffer[0] = if from.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
        buffer[1] = libc::IPPROTO_TCP as u8;
        // In any state.
        buffer[4..8].fill(0xff);
        buffer[ID..ID + 2].copy_from_slice(&from.port().to_be_bytes());
        buffer[ID + 2..ID + 4].copy_from_slice(&to.port().to_be_bytes());
        put(&mut buffer[ID + 4..ID + 20], from.ip());
        put(&mut buffer[ID + 20..ID + 36], to.ip());
        // No cookie: it is not known yet.
        buffer[ID + 40..ID + 48].fill(0xff);
    }
}

fn put(buffer: &mut [u8], address: IpAddr) {
    match address {
        IpAddr::V4(address) => buffer[..4].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => buffer.copy_from_slice(&address.octets()),
    }
}

impl NetlinkDeserializable for Diag {
    type Error = DecodeError;

    fn deserialize(_: &NetlinkHeader, payload: &[u8]) -> Result<Diag, DecodeError> {
        let inode = payload.get(INODE..).and_then(|rest| rest.first_chunk().copied());
        let inode = inode.ok_or_else(|| DecodeError::from("inet_diag_msg cut short".to_owned()))?;
        Ok(Diag::Found { inode: u32::from_ne_bytes(inode) })
    }
}
