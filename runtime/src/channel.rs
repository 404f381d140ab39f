//! How do the processes of a bottle speak with each other? One datagram, one message: JSON of at most 64 KiB, with descriptors beside it.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::sockopt::Timeout;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message, in bytes. A longer one is refused on both sides.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The most descriptors that travel with one message: the kernel takes no more (SCM_MAX_FD).
pub const MAX_DESCRIPTORS: usize = 253;

thread_local! {
    /// Where a thread receives: made once, since clearing so much for each message would cost more than the message. It is so
    /// large that the allocator maps it: then only those of its pages exist that a message has come to.
    static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; 4 * MAX_MESSAGE]);
}

/// What it means that a message's descriptors did not all come, since this process can have no more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shortage {
    /// It can't be received.
    Fails,
    /// It comes without any.
    Borne,
}

/// What an error of a channel says of the process at its other end.
pub(crate) fn why_unheard(error: &io::Error) -> String {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    match error.kind() {
        UnexpectedEof | BrokenPipe | ConnectionReset => format!("it is gone: {error}"),
        _ => error.to_string(),
    }
}

/// One end of a unix `SOCK_SEQPACKET` pair. Blocking, unless made otherwise by [`Channel::set_nonblocking`].
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
}

impl Channel {
    /// Makes both ends, close-on-exec.
    pub fn pair() -> io::Result<(Channel, Channel)> {
        let (one, other) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Channel { socket: one }, Channel { socket: other }))
    }

    /// Takes over an end that came from elsewhere, as a role does with its standard input.
    pub fn from_owned_fd(socket: OwnedFd) -> Channel {
        Channel { socket }
    }

    /// Sets or clears O_NONBLOCK on this end (and on every duplicate of it).
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.socket, on)?)
    }

    /// Sends one message and the descriptors beside it; they stay open here.
    ///
    /// # Errors
    /// `InvalidInput` for a message over [`MAX_MESSAGE`], else what sendmsg(2) says (`EPIPE` when the peer is gone).
    pub fn send<T: Serialize>(&self, message: &T, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        if bytes.len() > MAX_MESSAGE || descriptors.len() > MAX_DESCRIPTORS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too long"));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
        }
        retry(|| rustix::net::sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// Receives one message with its descriptors, all close-on-exec.
    ///
    /// # Errors
    /// `UnexpectedEof` when the peer is gone, `InvalidData` for anything that is not one whole message of this type, `EMFILE`
    /// where this process can have no more descriptors.
    pub fn recv<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        self.recv_with(RecvFlags::empty())
    }

    /// As [`Channel::recv`], without waiting: nothing if there is none yet.
    pub fn try_recv<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        match self.recv_with(RecvFlags::DONTWAIT) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            other => other.map(Some),
        }
    }

    /// As [`Channel::recv`]; where this process can have no more descriptors, the message comes without any.
    pub fn recv_though_short<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        self.recv_parsed(RecvFlags::empty(), Shortage::Borne)
    }

    /// Waits until a message, or the end of the peer, can be received; `false` when neither came in time.
    pub fn wait_readable(&self, limit: Duration) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: i64::from(limit.subsec_nanos()) };
        Ok(retry(|| rustix::event::poll(&mut fds, Some(&limit)))? > 0)
    }

    /// Whether the peer has closed its end. What it sent before can still be received.
    pub fn is_hung_up(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.socket, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        retry(|| rustix::event::poll(&mut fds, Some(&now)))?;
        Ok(fds[0].revents().contains(PollFlags::HUP))
    }

    /// Lets a blocking send fail with `WouldBlock` when the peer takes nothing for so long.
    pub fn limit_sending(&self, limit: Duration) -> io::Result<()> {
        Ok(rustix::net::sockopt::set_socket_timeout(&self.socket, Timeout::Send, Some(limit))?)
    }

    fn recv_with<T: DeserializeOwned>(&self, flags: RecvFlags) -> io::Result<(T, Vec<OwnedFd>)> {
        self.recv_parsed(flags, Shortage::Fails)
    }

    fn recv_parsed<T: DeserializeOwned>(&self, flags: RecvFlags, shortage: Shortage) -> io::Result<(T, Vec<OwnedFd>)> {
        ROOM.with_borrow_mut(|bytes| {
            let (length, descriptors) = self.recv_bytes(&mut bytes[..MAX_MESSAGE], flags, shortage)?;
            let message = serde_json::from_slice(&bytes[..length])
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            Ok((message, descriptors))
        })
    }

    fn recv_bytes(&self, bytes: &mut [u8], flags: RecvFlags, shortage: Shortage) -> io::Result<(usize, Vec<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        let received = retry(|| {
            match rustix::net::recvmsg(&self.socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, flags) {
                // Told once, when the peer ended without reading all that it was sent. What it said before comes next.
                Err(rustix::io::Errno::CONNRESET) => Err(rustix::io::Errno::INTR),
                received => received,
            }
        })?;
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let short = received.flags.contains(ReturnFlags::CTRUNC);
        if short && shortage == Shortage::Borne {
            descriptors.clear();
        } else if short {
            // There was room for all that the kernel takes along, so that this process may have no more of them.
            return Err(rustix::io::Errno::MFILE.into());
        }
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "truncated message"));
        }
        Ok((received.bytes, descriptors))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> OwnedFd {
        channel.socket
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_whole_with_its_descriptors() {
        let (one, other) = Channel::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        one.send(&("hello", 7), &[file.as_fd()]).unwrap();
        let ((text, number), descriptors): ((String, u32), _) = other.recv().unwrap();
        assert_eq!((text.as_str(), number, descriptors.len()), ("hello", 7, 1));
    }

    #[test]
    fn an_overlong_message_is_refused_by_the_sender() {
        let (one, _other) = Channel::pair().unwrap();
        let error = one.send(&"x".repeat(MAX_MESSAGE), &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn the_end_of_the_peer_is_an_error_not_a_message() {
        let (one, other) = Channel::pair().unwrap();
        drop(one);
        let error = other.recv::<u32>().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_a_peer_said_before_its_end_is_heard_though_it_did_not_listen() {
        let (one, other) = Channel::pair().unwrap();
        other.send(&"why", &[]).unwrap();
        one.send(&"go on", &[]).unwrap();
        drop(other);
        assert_eq!(one.recv::<String>().unwrap().0, "why");
        assert_eq!(one.recv::<String>().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_peer_that_takes_nothing_does_not_hold_the_sender_for_ever() {
        let (one, _other) = Channel::pair().unwrap();
        one.limit_sending(Duration::from_millis(10)).unwrap();
        let error = (0..).find_map(|_| one.send(&"x".repeat(4096), &[]).err()).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn another_type_is_invalid_data() {
        let (one, other) = Channel::pair().unwrap();
        one.send(&"text", &[]).unwrap();
        assert_eq!(other.recv::<u32>().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
