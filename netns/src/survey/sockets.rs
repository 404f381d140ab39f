//! Which sockets listen, or receive without a peer, in a namespace?
//!
//! By sock_diag's inet_diag, whose few fixed fields are read here: no crate of the netlink family in use has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netlink_packet_core::{DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};
use serde::{Deserialize, Serialize};

use crate::airlock::Desk;
use crate::wire::WireError;

/// A socket that listens, or a UDP or raw socket without a peer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// The IP protocol number: 6 TCP, 17 UDP, 255 raw.
    pub protocol: u8,
    /// Where.
    pub at: SocketAddr,
    /// The device that it is bound to, or 0.
    pub device: u32,
}

/// Those at this port, or all at port 0, with their cookies, in canonical order. The kernel sorts them out, however many others there are.
pub(crate) fn listeners_at(desk: &Desk, port: u16) -> Result<Vec<(Listener, u64)>, WireError> {
    let mut found = Vec::new();
    for (protocol, states) in
        [(libc::IPPROTO_TCP, LISTENING), (libc::IPPROTO_UDP, UNCONNECTED), (libc::IPPROTO_RAW, u32::MAX)]
    {
        for family in [libc::AF_INET, libc::AF_INET6] {
            let request = Diag::Request { family: family as u8, protocol: protocol as u8, states, port };
            match desk.diag.dump(&request) {
                Ok(answers) => found.extend(answers.into_iter().filter_map(|answer| answer.listener(protocol as u8))),
                // There is no such protocol to ask about in this kernel.
                Err(error) if protocol == libc::IPPROTO_RAW && error.errno() == Some(nix::errno::Errno::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Where the socket of an announcement was bound.
pub(crate) fn announced(message: &[u8]) -> Result<SocketAddr, DecodeError> {
    let payload = message.get(HEADER..).unwrap_or_default();
    match Diag::deserialize(&NetlinkHeader::default(), payload)? {
        Diag::Socket { at, .. } => Ok(at),
        Diag::Request { .. } => Err(DecodeError::from("a request is no announcement".to_owned())),
    }
}

/// Length of `nlmsghdr`.
const HEADER: usize = 16;

/// Where the cookie lies in an announcement: two words of the machine's own order.
pub(crate) const COOKIE: u32 = HEADER as u32 + 44;

/// SOCK_DIAG_BY_FAMILY.
const BY_FAMILY: u16 = 20;

/// The state TCP_LISTEN, as a mask.
const LISTENING: u32 = 1 << 10;

/// The state that UDP sockets without a peer are in (TCP_CLOSE), as a mask.
const UNCONNECTED: u32 = 1 << 7;

/// Length of `inet_diag_req_v2`.
const REQUEST: usize = 56;

/// Messages of sock_diag.
#[derive(Debug, Clone)]
pub(crate) enum Diag {
    Request { family: u8, protocol: u8, states: u32, port: u16 },
    Socket { at: SocketAddr, device: u32, cookie: u64 },
}

impl Diag {
    pub(crate) fn listener(self, protocol: u8) -> Option<(Listener, u64)> {
        match self {
            Diag::Socket { at, device, cookie } => Some((Listener { protocol, at, device }, cookie)),
            Diag::Request { .. } => None,
        }
    }
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
        if let Diag::Request { family, protocol, states, port } = self {
            buffer[0] = *family;
            buffer[1] = *protocol;
            buffer[4..8].copy_from_slice(&states.to_ne_bytes());
            buffer[8..10].copy_from_slice(&port.to_be_bytes());
        }
    }
}

impl NetlinkDeserializable for Diag {
    type Error = DecodeError;

    /// Reads `inet_diag_msg`: family at 0, source port at 4, source address at 8, interface at 40, cookie at 44.
    fn deserialize(_: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let short = || DecodeError::from("inet_diag_msg cut short".to_owned());
        let port = u16::from_be_bytes(at(payload, 4).ok_or_else(short)?);
        let address = match payload.first().map(|family| i32::from(*family)) {
            Some(libc::AF_INET) => IpAddr::V4(Ipv4Addr::from(at::<4>(payload, 8).ok_or_else(short)?)),
            Some(libc::AF_INET6) => IpAddr::V6(Ipv6Addr::from(at::<16>(payload, 8).ok_or_else(short)?)),
            _ => {
                return Err(DecodeError::from("inet_diag_msg of another family".to_owned()));
            }
        };
        Ok(Diag::Socket {
            at: SocketAddr::new(address, port),
            device: u32::from_ne_bytes(at(payload, 40).ok_or_else(short)?),
            cookie: u64::from_ne_bytes(at(payload, 44).ok_or_else(short)?),
        })
    }
}

fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}
