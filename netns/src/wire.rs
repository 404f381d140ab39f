//! How are netlink messages sent and answers collected?
//!
//! One synchronous socket for a protocol in a namespace, used by one thread at a time. The builder is short-lived: it needs no runtime, and a whole list of requests goes out in one system call.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkDeserializable, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, sockopt};
use nix::sys::time::TimeVal;
use thiserror::Error;

/// Room for what the kernel puts in one datagram: dumps use 32 KiB at most.
pub(crate) const DATAGRAM: usize = 64 * 1024;

/// How often an interrupted dump is tried.
const DUMP_TRIES: usize = 8;

/// Why an exchange over netlink failed.
#[derive(Debug, Error)]
pub enum WireError {
    /// The kernel refused request number `index` of those sent together.
    #[error("the kernel refused: {errno}")]
    Refused {
        /// Which of the requests that were sent together.
        index: usize,
        /// What the kernel said.
        errno: Errno,
    },
    /// The socket failed.
    #[error("{call}: {errno}")]
    Socket {
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
    /// What the kernel sent could not be understood.
    #[error("the kernel's answer could not be read: {0}")]
    Malformed(String),
    /// The state kept changing while it was dumped.
    #[error("the state changed during each of {DUMP_TRIES} dumps")]
    Unsteady,
}

impl WireError {
    /// The errno behind it, if there is one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            WireError::Refused { errno, .. } | WireError::Socket { errno, .. } => Some(*errno),
            WireError::Malformed(_) | WireError::Unsteady => None,
        }
    }
}

/// A netlink socket for requests.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: OwnedFd,
    sequence: AtomicU32,
}

thread_local! {
    /// For whatever is received next, on any socket: one each would weigh as long as the sockets are open. It is so large that
    /// the allocator maps it: then only those of its pages exist that were written to.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 4 * DATAGRAM]);
}

impl Wire {
    /// Opens one in the current network namespace.
    pub(crate) fn open(protocol: SockProtocol) -> Result<Self, WireError> {
        open(protocol, 0).map(Wire::from)
    }

    /// Sends all requests in one datagram and waits until all were carried out, one after the other: the kernel tells of
    /// each that it refuses, and acknowledges the last. Each is given with its own flags, to which REQUEST is added.
    pub(crate) fn perform<T>(&self, requests: Vec<(u16, T)>) -> Result<(), WireError>
    where
        T: NetlinkSerializable + NetlinkDeserializable,
    {
        let count = requests.len();
        let first = self.take_sequence(count);
        let mut bytes = Vec::new();
        for (left, (sequence, (flags, body))) in (0..count).rev().zip((first..).zip(requests)) {
            append(&mut bytes, sequence, flags | NLM_F_REQUEST | acknowledged(left), body);
        }
        self.send(&bytes)?;
        self.await_last::<T>(first, count)
    }

    /// Sends bytes that hold `count` numbered requests and possibly unnumbered frames around them.
    pub(crate) fn perform_encoded<T: NetlinkDeserializable>(
        &self,
        encode: impl FnOnce(u32) -> (Vec<u8>, usize),
    ) -> Result<(), WireError> {
        let (bytes, count) = encode(self.sequence.load(Ordering::Relaxed));
        let first = self.take_sequence(count);
        self.send(&bytes)?;
        self.await_last::<T>(first, count)
    }

    /// Dumps, and dumps again where the state changed meanwhile.
    pub(crate) fn dump<T>(&self, body: &T) -> Result<Vec<T>, WireError>
    where
        T: NetlinkSerializable + NetlinkDeserializable + Clone,
    {
        for _ in 0..DUMP_TRIES {
            if let Some(answers) = self.dump_once(body.clone(), NLM_F_DUMP)? {
                return Ok(answers);
            }
        }
        Err(WireError::Unsteady)
    }

    /// Asks for one thing.
    pub(crate) fn ask<T>(&self, body: T) -> Result<Option<T>, WireError>
    where
        T: NetlinkSerializable + NetlinkDeserializable,
    {
        Ok(self.dump_once(body, NLM_F_ACK)?.and_then(|mut answers| answers.pop()))
    }

    /// Asks for one thing that the kernel answers with one message, and with an error where it is not there.
    pub(crate) fn find<T>(&self, body: T) -> Result<Option<T>, WireError>
    where
        T: NetlinkSerializable + NetlinkDeserializable,
    {
        let sequence = self.take_sequence(1);
        let mut bytes = Vec::new();
        append(&mut bytes, sequence, NLM_F_REQUEST, body);
        self.send(&bytes)?;
        loop {
            let answers = self.receive::<T>()?;
            // What is left of a question that nobody waited for any more is somebody else's answer.
            let Some(answer) = answers.into_iter().find(|answer| answer.header.sequence_number == sequence) else {
                continue;
            };
            return match answer.payload {
                NetlinkPayload::InnerMessage(inner) => Ok(Some(inner)),
                NetlinkPayload::Error(error) => error.code.map_or(Ok(None), |code| Err(refused(0, code.get()))),
                _ => Ok(None),
            };
        }
    }

    fn dump_once<T>(&self, body: T, flags: u16) -> Result<Option<Vec<T>>, WireError>
    where
        T: NetlinkSerializable + NetlinkDeserializable,
    {
        let sequence = self.take_sequence(1);
        let mut bytes = Vec::new();
        append(&mut bytes, sequence, flags | NLM_F_REQUEST, body);
        self.send(&bytes)?;
        let mut answers = Vec::new();
        let mut steady = true;
        loop {
            for message in self.receive::<T>()? {
                if message.header.sequence_number != sequence {
                    continue;
                }
                steady &= message.header.flags & NLM_F_DUMP_INTR == 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                    NetlinkPayload::Done(_) => return Ok(steady.then_some(answers)),
                    NetlinkPayload::Error(error) => match error.code {
                        None => return Ok(steady.then_some(answers)),
                        Some(code) => return Err(refused(0, code.get())),
                    },
                    _ => {}
                }
            }
        }
    }

    /// Waits for the acknowledgement of the last of `count` requests, or the first refusal.
    fn await_last<T: NetlinkDeserializable>(&self, first: u32, count: usize) -> Result<(), WireError> {
        let index = |message: &NetlinkMessage<T>| message.header.sequence_number.wrapping_sub(first) as usize;
        if count == 0 {
            return Ok(());
        }
        loop {
            for message in self.receive::<T>()? {
                let NetlinkPayload::Error(error) = &message.payload else { continue };
                match error.code {
                    // Nobody asks what became of the others.
                    Some(code) => {
                        self.discard();
                        return Err(refused(index(&message), code.get()));
                    }
                    None if index(&message) + 1 == count => return Ok(()),
                    None => {}
                }
            }
        }
    }

    /// Throws away what is still queued after a failure.
    fn discard(&self) {
        let mut buffer = [0_u8; 8192];
        while socket::recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).is_ok() {}
    }

    fn take_sequence(&self, count: usize) -> u32 {
        self.sequence.fetch_add(count as u32, Ordering::Relaxed)
    }

    fn send(&self, bytes: &[u8]) -> Result<(), WireError> {
        let sent = socket::send(self.socket.as_raw_fd(), bytes, MsgFlags::empty());
        sent.map(drop).map_err(|errno| WireError::Socket { call: "send on netlink", errno })
    }

    fn receive<T: NetlinkDeserializable>(&self) -> Result<Vec<NetlinkMessage<T>>, WireError> {
        BUFFER.with_borrow_mut(|buffer| {
            let length = socket::recv(self.socket.as_raw_fd(), &mut buffer[..DATAGRAM], MsgFlags::empty())
                .map_err(|errno| WireError::Socket { call: "receive on netlink", errno })?;
            parse(&buffer[..length])
        })
    }
}

impl From<OwnedFd> for Wire {
    fn from(socket: OwnedFd) -> Self {
        Wire { socket, sequence: AtomicU32::new(1) }
    }
}

impl From<Wire> for OwnedFd {
    fn from(wire: Wire) -> Self {
        wire.socket
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Opens and binds a netlink socket in the current network namespace, subscribed to `groups` (a mask).
pub(crate) fn open(protocol: SockProtocol, groups: u32) -> Result<OwnedFd, WireError> {
    let fail = |call| move |errno| WireError::Socket { call, errno };
    let socket = socket::socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
        .map_err(fail("netlink socket"))?;
    socket::bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups)).map_err(fail("bind netlink socket"))?;
    // The kernel answers at once; a socket that stays silent must not hang the builder.
    socket::setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(5, 0))
        .map_err(fail("time limit of netlink socket"))?;
    Ok(socket)
}

/// Splits a datagram into its messages.
pub(crate) fn parse<T: NetlinkDeserializable>(mut bytes: &[u8]) -> Result<Vec<NetlinkMessage<T>>, WireError> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let message =
            NetlinkMessage::<T>::deserialize(bytes).map_err(|error| WireError::Malformed(error.to_string()))?;
        let length = (message.header.length as usize).next_multiple_of(4);
        if length == 0 {
            return Err(WireError::Malformed("a message without length".into()));
        }
        messages.push(message);
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(messages)
}

/// ACK for the last of several requests, which `left` others do not follow.
pub(crate) fn acknowledged(left: usize) -> u16 {
    if left == 0 { NLM_F_ACK } else { 0 }
}

/// Appends one message with its header.
pub(crate) fn append<T: NetlinkSerializable>(bytes: &mut Vec<u8>, sequence: u32, flags: u16, body: T) {
    let mut message = NetlinkMessage::new(Default::default(), NetlinkPayload::InnerMessage(body));
    message.header.flags = flags;
    message.header.sequence_number = sequence;
    message.finalize();
    let start = bytes.len();
    bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
    message.serialize(&mut bytes[start..]);
}

fn refused(index: usize, code: i32) -> WireError {
    WireError::Refused { index, errno: Errno::from_raw(code.abs()) }
}

/// Makes reads return at once.
pub(crate) fn set_nonblocking(socket: &OwnedFd) -> Result<(), WireError> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    fcntl(socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
        .map(drop)
        .map_err(|errno| WireError::Socket { call: "set a netlink socket non-blocking", errno })
}
