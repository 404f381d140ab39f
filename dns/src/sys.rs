//! How do many datagrams pass in one system call, with the address that each was sent to?
//!
//! The one file with `unsafe`: recvmmsg(2) and sendmmsg(2) take pointers to buffers that live in a [`Batch`], and the event loop
//! wants a promise that a descriptor stays what it is.

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{in_pktinfo, in6_pktinfo, mmsghdr, msghdr, sockaddr_storage, socklen_t};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Makes `socket` part of the event loop, to wait for datagrams.
pub(crate) fn watch(socket: UdpSocket) -> io::Result<AsyncFd<UdpSocket>> {
    // SAFETY: the result owns the socket, gives no one else the means to close or replace its descriptor, and a `UdpSocket`
    // has the same open descriptor until it is dropped.
    unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }.map_err(io::Error::from)
}

/// Room for the control messages of one datagram, aligned as `cmsghdr` wants it.
type Control = [u64; 12];

/// Datagrams a system call. More would save little: a client waits while the answers to a batch are made.
pub(crate) const BATCH: usize = 16;

/// Datagrams that came together, and their answers.
pub(crate) struct Batch {
    slots: Box<[Slot]>,
    received: usize,
}

struct Slot {
    query: Box<[u8]>,
    length: usize,
    peer: sockaddr_storage,
    peer_length: socklen_t,
    asked: Option<Asked>,
    control: Control,
    answer: Vec<u8>,
}

/// The address that a datagram was sent to, and the interface it came by, as the kernel tells and takes them.
#[derive(Clone, Copy)]
enum Asked {
    V4(in_pktinfo),
    V6(in6_pktinfo),
}

impl Batch {
    /// Room for [`BATCH`] datagrams. Of one that is longer than `query_max` bytes, one byte more than that is kept.
    pub(crate) fn new(query_max: usize) -> Self {
        let slots = (0..BATCH).map(|_| Slot::new(query_max + 1)).collect();
        Self { slots, received: 0 }
    }

    /// Takes what has arrived, without waiting. Returns how many.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.received = 0;
        let mut parts: Vec<libc::iovec> = self.slots.iter_mut().map(|slot| part(&mut slot.query)).collect();
        let mut headers: Vec<mmsghdr> =
            self.slots.iter_mut().zip(&mut parts).map(|(slot, part)| slot.receiving(part)).collect();
        let flags = libc::MSG_DONTWAIT;
        // SAFETY: each header points to the peer, query and control buffers of a slot and to an entry of `parts`, with their
        // true sizes; all outlive the call, nothing else refers to them meanwhile, and there is no timeout.
        let count = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), headers.len() as u32, flags, ptr::null_mut())
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (slot, header) in self.slots.iter_mut().zip(&headers).take(count) {
            slot.length = header.msg_len as usize;
            slot.peer_length = header.msg_hdr.msg_namelen;
            // SAFETY: the kernel has just filled this header and the control buffer it points to, which is alive.
            slot.asked = unsafe { asked(&header.msg_hdr) };
            slot.answer.clear();
        }
        self.received = count;
        Ok(count)
    }

    /// Each query that was received, and the buffer for its answer. An empty buffer is not sent.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (&[u8], &mut Vec<u8>)> {
        self.slots[..self.received].iter_mut().map(|slot| (&slot.query[..slot.length], &mut slot.answer))
    }

    /// Sends the answers, without waiting. An answer that can't be sent is dropped.
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>) {
        let slots = &mut self.slots[..mem::take(&mut self.received)];
        let mut parts: Vec<libc::iovec> = slots.iter_mut().map(|slot| part(&mut slot.answer)).collect();
        let mut headers: Vec<mmsghdr> = slots
            .iter_mut()
            .zip(&mut parts)
            .filter(|(_, part)| part.iov_len > 0)
            .map(|(slot, part)| slot.sending(part))
            .collect();
        let mut rest = headers.as_mut_slice();
        while !rest.is_empty() {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: each header points to the peer, answer and control buffers of a slot and to an entry of `parts`, with
            // their true sizes; all outlive the call, which only reads them and writes `msg_len` in the headers.
            let count = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, flags) };
            // On an error it is the first of the rest that can't be sent.
            let done = usize::try_from(count).unwrap_or(1).max(1);
            rest = &mut rest[done..];
        }
    }
}

impl Slot {
    fn new(length: usize) -> Self {
        Self {
            query: vec![0; length].into_boxed_slice(),
            length: 0,
            // SAFETY: all zeroes is a sockaddr_storage, of family AF_UNSPEC.
            peer: unsafe { mem::zeroed() },
            peer_length: 0,
            asked: None,
            control: [0; 12],
            answer: Vec::with_capacity(512),
        }
    }

    fn receiving(&mut self, part: &mut libc::iovec) -> mmsghdr {
        self.peer_length = mem::size_of::<sockaddr_storage>() as socklen_t;
        self.header(part, mem::size_of::<Control>())
    }

    fn sending(&mut self, part: &mut libc::iovec) -> mmsghdr {
        let mut header = self.header(part, mem::size_of::<Control>());
        header.msg_hdr.msg_controllen = match self.asked {
            // SAFETY: the header points to this slot's control buffer, which has room for either.
            Some(Asked::V4(info)) => unsafe { put(&header.msg_hdr, libc::IPPROTO_IP, libc::IP_PKTINFO, info) },
            // SAFETY: as above.
            Some(Asked::V6(info)) => unsafe { put(&header.msg_hdr, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info) },
            None => 0,
        };
        header
    }

    fn header(&mut self, part: &mut libc::iovec, control: usize) -> mmsghdr {
        // SAFETY: all zeroes is an mmsghdr, with null pointers and no lengths.
        let mut header: mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_name = (&raw mut self.peer).cast();
        header.msg_hdr.msg_namelen = self.peer_length;
        header.msg_hdr.msg_iov = part;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_control = self.control.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = control as _;
        header
    }
}

fn part(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
}

/// The destination of a received datagram, ready to be the source of its answer.
///
/// # Safety
/// `header` must be as recvmmsg(2) left it, and its control buffer alive.
unsafe fn asked(header: &msghdr) -> Option<Asked> {
    // SAFETY: by the contract, the control messages are those that the kernel wrote, so each header found by these macros lies
    // within the buffer, and the data of these two kinds is the struct named here; it is read unaligned.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = message.as_ref() {
            let data = libc::CMSG_DATA(message);
            match (found.cmsg_level, found.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: in_pktinfo = data.cast::<in_pktinfo>().read_unaligned();
                    return Some(Asked::V4(in_pktinfo { ipi_spec_dst: info.ipi_addr, ..info }));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    return Some(Asked::V6(data.cast::<in6_pktinfo>().read_unaligned()));
                }
                _ => message = libc::CMSG_NXTHDR(header, message),
            }
        }
    }
    None
}

/// Writes one control message and returns the length of the control buffer with it.
///
/// # Safety
/// The control buffer of `header` must be alive, writable, aligned, and large enough for one message with a `T`.
unsafe fn put<T>(header: &msghdr, level: i32, kind: i32, value: T) -> usize {
    let size = mem::size_of::<T>() as u32;
    // SAFETY: by the contract there is room for the message's header and its data; both are written before anyone reads them.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        let mut first: libc::cmsghdr = MaybeUninit::zeroed().assume_init();
        first.cmsg_level = level;
        first.cmsg_type = kind;
        first.cmsg_len = libc::CMSG_LEN(size) as _;
        message.write(first);
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(value);
        libc::CMSG_SPACE(size) as usize
    }
}
