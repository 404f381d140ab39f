//! What has changed in the namespaces since they were surveyed?
//!
//! Three receive-only sockets in each namespace: one for links, addresses, routes, rules, neighbours, per-device
//! settings and traffic control, one for packet rules, one for the end of listening sockets. Whoever holds them can
//! wait on them from anywhere.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::neighbour::{NeighbourMessage, NeighbourState};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{self, MsgFlags, SockProtocol, setsockopt, sockopt};
use rtnetlink::MulticastGroup as Group;
use serde::{Deserialize, Serialize};

use crate::airlock::Watches;
use crate::announced;
use crate::conform;
use crate::layout::{Layout, Side};
use crate::survey::{route, sockets};
use crate::wire::{self, DATAGRAM, WireError};
use crate::{filter, sys};

/// What a watch listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Links, addresses, routes, rules, neighbours, settings of devices, traffic control.
    Route,
    /// Packet rules.
    Rules,
    /// The end of sockets that listen.
    Sockets,
}

impl Source {
    /// All that are watched in each namespace.
    pub(crate) const ALL: [Source; 3] = [Source::Route, Source::Rules, Source::Sockets];
}

/// What kind of thing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A device.
    Link,
    /// An address.
    Address,
    /// A route.
    Route,
    /// A routing rule.
    Rule,
    /// A neighbour.
    Neighbour,
    /// A setting of a device that the kernel announces, such as forwarding.
    Setting,
    /// A queue, filter or action.
    TrafficControl,
    /// A table, chain, rule, set or object of nftables.
    Ruleset,
    /// A socket that listens.
    Listener,
    /// Notifications were lost: anything may have changed.
    Overrun,
    /// A notification that could not be read: anything may have changed.
    Unreadable,
}

/// A change of what was surveyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// In which namespace.
    pub side: Side,
    /// Of what.
    pub kind: Kind,
    /// In words.
    pub what: String,
}

/// A receive-only notification socket.
#[derive(Debug)]
pub struct Watch {
    /// In which namespace.
    pub side: Side,
    /// What it listens to.
    pub source: Source,
    /// The socket, non-blocking.
    pub fd: OwnedFd,
}

/// Groups of rtnetlink, as a mask.
const ROUTE_GROUPS: [Group; 11] = [
    Group::Link,
    Group::Neigh,
    Group::Tc,
    Group::Ipv4Ifaddr,
    Group::Ipv4Route,
    Group::Ipv4Rule,
    Group::Ipv6Ifaddr,
    Group::Ipv6Route,
    Group::Ipv6Rule,
    Group::Ipv4Netconf,
    Group::Ipv6Netconf,
];

/// NFNLGRP_NFTABLES, as a mask.
const RULES_GROUP: u32 = 1 << (7 - 1);

/// SKNLGRP_INET_TCP_DESTROY, INET_UDP, INET6_TCP, INET6_UDP (linux/sock_diag.h).
const SOCKET_GROUPS: [libc::c_int; 4] = [1, 2, 3, 4];

/// Room for a burst of notifications before one is lost.
const QUEUE: usize = 1 << 20;

impl Watches {
    /// The watch over links and routes of this namespace.
    pub(crate) fn route(&self, side: Side) -> &Watch {
        let wanted = |watch: &&Watch| watch.side == side && watch.source == Source::Route;
        self.0.iter().find(wanted).expect("both namespaces have a watch over routes")
    }

    /// All changes that were announced so far and not read yet. It never waits.
    pub fn drain(&self, layout: &Layout) -> Vec<Change> {
        self.0.iter().flat_map(|watch| watch.drain(layout)).collect()
    }
}

impl Watch {
    /// Opens the watch over links and routes in the current network namespace.
    pub(crate) fn open_routes(side: Side) -> Result<Watch, WireError> {
        let groups = ROUTE_GROUPS.iter().fold(0, |mask, group| mask | 1 << (*group as u32 - 1));
        Watch::open(side, Source::Route, SockProtocol::NetlinkRoute, groups)
    }

    /// Opens the watch over packet rules in the current network namespace. The kernel describes each rule anew to whoever listens, so this
    /// comes when ours are there, and before they are read back.
    pub(crate) fn open_rules(side: Side) -> Result<Watch, WireError> {
        Watch::open(side, Source::Rules, SockProtocol::NetlinkNetFilter, RULES_GROUP)
    }

    /// Opens the watch over these sockets in the current network namespace, which must be theirs.
    ///
    /// The kernel announces the end of every socket there, each connection's too; a filter keeps all others out.
    pub(crate) fn open_sockets(side: Side, sockets: &[BorrowedFd<'_>]) -> Result<Watch, WireError> {
        let watch = Watch::open(side, Source::Sockets, SockProtocol::NetlinkSockDiag, 0)?;
        let fail = |call| move |errno| WireError::Socket { call, errno };
        let cookies = sockets.iter().map(sys::socket_cookie).collect::<Result<Vec<u64>, Errno>>();
        let filter = filter::one_of(sockets::COOKIE, &cookies.map_err(fail("SO_COOKIE"))?);
        sys::attach_filter(&watch.fd, &filter).map_err(fail("SO_ATTACH_FILTER"))?;
        for group in SOCKET_GROUPS {
            sys::set_option(&watch.fd, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, group)
                .map_err(fail("NETLINK_ADD_MEMBERSHIP"))?;
        }
        Ok(watch)
    }

    fn open(side: Side, source: Source, protocol: SockProtocol, groups: u32) -> Result<Watch, WireError> {
        let fd = wire::open(protocol, groups)?;
        wire::set_nonblocking(&fd)?;
        // More room is better, but not needed: a lost notification is a change, never silence.
        let _smaller = setsockopt(&fd, sockopt::RcvBuf, &QUEUE);
        Ok(Watch { side, source, fd })
    }

    /// All changes that were announced to this socket so far. It never waits.
    pub fn drain(&self, layout: &Layout) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut buffer = vec![0; DATAGRAM];
        loop {
            match socket::recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => changes.extend(self.parse(layout, &buffer[..length])),
                Err(Errno::EAGAIN) => return changes,
                Err(Errno::EINTR) => {}
                // The kernel says so once and then goes on with what it still has.
                Err(Errno::ENOBUFS) => changes.push(self.lost()),
                Err(errno) => {
                    changes.push(self.change(Kind::Unreadable, format!("the socket failed: {errno}")));
                    return changes;
                }
            }
        }
    }

    /// The change that a receive error ENOBUFS means.
    pub fn lost(&self) -> Change {
        self.change(Kind::Overrun, "notifications were lost".into())
    }

    /// Reads one datagram of this socket. What leaves the surveyed state as it was is left out.
    pub fn parse(&self, layout: &Layout, datagram: &[u8]) -> Vec<Change> {
        split(datagram)
            .filter_map(|message| match message {
                Ok((kind, bytes)) => match self.source {
                    Source::Route => self.route_change(layout, kind, bytes),
                    Source::Rules => Some(self.change(Kind::Ruleset, announced::rules(kind, bytes))),
                    Source::Sockets => Some(self.socket_ended(bytes)),
                },
                Err(what) => Some(self.change(Kind::Unreadable, what)),
            })
            .collect()
    }

    /// Waits until there is something to read. Says whether there is.
    pub(crate) fn wait(&self, limit: Duration) -> Result<bool, WireError> {
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, timeout).map_err(|errno| WireError::Socket { call: "poll", errno })?;
        if ready > 0 {
            self.discard();
        }
        Ok(ready > 0)
    }

    /// Throws away what was announced so far.
    pub(crate) fn discard(&self) {
        let mut buffer = [0; 4096];
        while !matches!(
            socket::recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT),
            Err(errno) if errno != Errno::ENOBUFS && errno != Errno::EINTR
        ) {}
    }

    fn change(&self, kind: Kind, what: String) -> Change {
        Change { side: self.side, kind, what }
    }

    fn socket_ended(&self, bytes: &[u8]) -> Change {
        match sockets::announced(bytes) {
            Ok(at) => self.change(Kind::Listener, format!("the socket at {at} was closed")),
            Err(error) => self.change(Kind::Unreadable, error.to_string()),
        }
    }

    fn route_change(&self, layout: &Layout, kind: u16, bytes: &[u8]) -> Option<Change> {
        if matches!(kind, RTM_NEWNETCONF | RTM_DELNETCONF) {
            return Some(self.change(Kind::Setting, announced::setting(bytes)));
        }
        let message = match NetlinkMessage::<Message>::deserialize(bytes) {
            Ok(message) => message,
            Err(error) => return Some(self.change(Kind::Unreadable, error.to_string())),
        };
        let NetlinkPayload::InnerMessage(message) = message.payload else {
            return None;
        };
        match &message {
            // The kernel repeats a link's state on many occasions. One that is as it must be is no news.
            Message::NewLink(link) if conform::link(layout, self.side, &route::link(link)).is_empty() => None,
            // Entries that the kernel makes and drops by itself lead nowhere but to the peer.
            Message::NewNeighbour(neighbour) | Message::DelNeighbour(neighbour)
                if is_cache(layout, self.side, neighbour) =>
            {
                None
            }
            other => {
                let (kind, what) = words(other);
                Some(self.change(kind, what))
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

const RTM_NEWNETCONF: u16 = 80;
const RTM_DELNETCONF: u16 = 81;

/// Whether an entry is one of the kernel's cache: not permanent, and not about the peer.
fn is_cache(layout: &Layout, side: Side, message: &NeighbourMessage) -> bool {
    let entry = route::neighbour(message, &[]);
    let peer = layout.peer(side);
    let about_peer = [peer.v4.to_string(), peer.v6.to_string()].contains(&entry.address);
    message.header.state != NeighbourState::Permanent && !about_peer
}

fn words(message: &Message) -> (Kind, String) {
    let kind = match message {
        Message::NewLink(_) | Message::DelLink(_) => Kind::Link,
        Message::NewAddress(_) | Message::DelAddress(_) => Kind::Address,
        Message::NewRoute(_) | Message::DelRoute(_) => Kind::Route,
        Message::NewRule(_) | Message::DelRule(_) => Kind::Rule,
        Message::NewNeighbour(_) | Message::DelNeighbour(_) => Kind::Neighbour,
        _ => Kind::TrafficControl,
    };
    let gone = matches!(
        message,
        Message::DelLink(_)
            | Message::DelAddress(_)
            | Message::DelRoute(_)
            | Message::DelRule(_)
            | Message::DelNeighbour(_)
    );
    let verb = if gone { "removed" } else { "added or changed" };
    (kind, format!("{} {verb}", route::name(message)))
}

/// Splits a datagram into messages: type and bytes.
fn split(mut datagram: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), String>> {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let header = datagram.first_chunk::<16>();
        let length =
            header.map_or(0, |header| u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize);
        let Some((header, bytes)) = header.filter(|_| length >= 16).zip(datagram.get(..length)) else {
            datagram = &[];
            return Some(Err("a notification cut short".into()));
        };
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok((u16::from_ne_bytes([header[4], header[5]]), bytes)))
    })
}
