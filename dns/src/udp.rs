//! How are datagrams answered, many at a time, from the address that was asked?

use std::convert::Infallible;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::sys::{BATCH, watch};
use crate::{ServeError, Sinkhole, Transport};

/// Answers on `socket` until it fails. Holds at most one batch of queries and answers; what can't be sent at once is dropped,
/// as datagrams may be.
///
/// Set `IP_PKTINFO` (`IPV6_RECVPKTINFO`) on a socket that is bound to no one address, and `IP_TRANSPARENT` where it takes
/// queries for foreign addresses: the answer then leaves from the address that was asked.
pub async fn serve_udp(socket: UdpSocket, sinkhole: Arc<Sinkhole>) -> Result<Infallible, ServeError> {
    let socket = watch(socket).map_err(ServeError::Register)?;
    loop {
        let mut ready = socket.readable().await.map_err(ServeError::Receive)?;
        let mut batch = sinkhole.room();
        match batch.receive(socket.as_fd()) {
            Ok(BATCH) => {}
            Ok(_) => ready.clear_ready(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
            Err(error) if passes(&error) => {}
            Err(error) => return Err(ServeError::Receive(error)),
        }
        for (query, answer) in batch.datagrams() {
            sinkhole.answer_into(query, Transport::Udp, answer);
        }
        batch.send(socket.as_fd());
        sinkhole.done_with(batch);
        tokio::task::yield_now().await;
    }
}

/// Errors of one datagram or one moment, not of the socket.
fn passes(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable, OutOfMemory,
    };
    let kinds = [ConnectionRefused, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable, OutOfMemory];
    kinds.contains(&error.kind()) || error.raw_os_error() == Some(libc::ENOBUFS)
}
