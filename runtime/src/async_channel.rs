//! How does a process that waits for many things use a channel? The same messages, awaited.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;

use crate::channel::Channel;

/// A [`Channel`] on the current tokio runtime. `send` and `recv` are safe to drop halfway: a message goes whole or not at all.
#[derive(Debug)]
pub struct AsyncChannel {
    inner: AsyncFd<Channel>,
    /// Held while a message waits for room, so that messages leave in the order in which their sending began.
    turn: Mutex<()>,
}

impl AsyncChannel {
    /// Registers the channel; it becomes non-blocking.
    pub fn new(channel: Channel) -> io::Result<AsyncChannel> {
        channel.set_nonblocking(true)?;
        Ok(AsyncChannel { inner: crate::sys::register_channel(channel)?, turn: Mutex::new(()) })
    }

    /// The channel itself again, blocking.
    pub fn into_blocking(self) -> io::Result<Channel> {
        let channel = self.inner.into_inner();
        channel.set_nonblocking(false)?;
        Ok(channel)
    }

    /// As [`Channel::send`]. First come, first sent.
    pub async fn send<T: Serialize>(&self, message: &T, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        self.send_out_of_turn(message, descriptors).await
    }

    /// The same without waiting for what else waits for room.
    pub async fn send_out_of_turn<T: Serialize>(&self, message: &T, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            // Most sends go through at once; only a full queue waits for room.
            match self.inner.get_ref().send(message, descriptors) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            let mut guard = self.inner.writable().await?;
            match guard.try_io(|inner| inner.get_ref().send(message, descriptors)) {
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    /// As [`Channel::recv`].
    pub async fn recv<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        self.recv_by(Channel::recv).await
    }

    /// As [`Channel::recv_though_short`].
    pub async fn recv_though_short<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        self.recv_by(Channel::recv_though_short).await
    }

    async fn recv_by<R>(&self, recv: impl Fn(&Channel) -> io::Result<R>) -> io::Result<R> {
        loop {
            let mut guard = self.inner.readable().await?;
            match guard.try_io(|inner| recv(inner.get_ref())) {
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_that_waits_for_room_is_not_overtaken() {
        let (ours, theirs) = Channel::pair().unwrap();
        let (ours, theirs) = (AsyncChannel::new(ours).unwrap(), AsyncChannel::new(theirs).unwrap());
        let mut filled = 0;
        while ours.inner.get_ref().send(&0, &[]).is_ok() {
            filled += 1;
        }
        let receive = async {
            let mut received = Vec::new();
            while received.len() < filled + 3 {
                received.push(theirs.recv::<u32>().await.unwrap().0);
            }
            received.split_off(filled)
        };
        let (_, _, _, received) = tokio::join!(ours.send(&1, &[]), ours.send(&2, &[]), ours.send(&3, &[]), receive);
        assert_eq!(received, [1, 2, 3]);
    }
}
