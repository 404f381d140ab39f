//! What does the gate do with who came in by a published port? It relays between two connected sockets, and says how it ended.
//!
//! Both come from the supervisor, which has recorded the connection before, and both reset their peer when they are closed
//! (SO_LINGER of zero), so that whatever ends this process early looks like no orderly end.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bottle_proxy::Ended;
use bottle_proxy::relay::{End, Flow, Idle, Pipes, PipesError, Traffic, join};
use rustix::net::sockopt::set_socket_linger;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::message::FromGate;
use crate::async_channel::AsyncChannel;

/// A browser leaves its connections open as long as a page is.
const IDLE: Idle = Idle { open: Duration::from_secs(24 * 60 * 60), half_closed: Duration::from_secs(60 * 60) };

/// Pipes for bulk, where ports are published.
const PIPES: usize = 2;

/// How many descriptors so many connections take.
pub(super) fn descriptors(connections: usize) -> usize {
    if connections == 0 { 0 } else { 2 * connections + 2 * PIPES }
}

/// The connections that are relayed.
pub(super) struct Inbound {
    supervisor: Arc<AsyncChannel>,
    pipes: Arc<Pipes>,
    /// Whether all are to end; each has a receiver as long as it lasts.
    cut: watch::Sender<bool>,
}

impl Inbound {
    /// Makes all that needs a descriptor, for at most so many connections.
    pub(super) fn new(supervisor: Arc<AsyncChannel>, connections: usize) -> Result<Inbound, PipesError> {
        let pipes = if connections == 0 { 0 } else { PIPES };
        Ok(Inbound { supervisor, pipes: Arc::new(Pipes::new(pipes)?), cut: watch::Sender::new(false) })
    }

    /// Relays one connection in a task of its own: the client's socket, then the one inside.
    pub(super) fn take(&self, connection: u64, sockets: Vec<OwnedFd>) {
        let (supervisor, pipes, cut) = (Arc::clone(&self.supervisor), Arc::clone(&self.pipes), self.cut.subscribe());
        tokio::spawn(async move {
            let begun = Instant::now();
            let (ended, inward, outward) = relayed(sockets, &pipes, cut.clone()).await.unwrap_or((Ended::Cut, 0, 0));
            let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            // A supervisor that is gone needs no answer.
            let _ = supervisor.send(&FromGate::InboundEnded { connection, ended, inward, outward, millis }, &[]).await;
            drop(cut);
        });
    }

    /// Ends all at once, with a reset to both sides.
    pub(super) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Waits until the last one is over and has been told.
    pub(super) async fn finished(&self) {
        self.cut.closed().await;
    }
}

/// How it ended, and how many bytes went in and out.
async fn relayed(
    sockets: Vec<OwnedFd>,
    pipes: &Pipes,
    mut cut: watch::Receiver<bool>,
) -> io::Result<(Ended, u64, u64)> {
    let [client, inside] = <[OwnedFd; 2]>::try_from(sockets).map_err(|_| io::ErrorKind::InvalidData)?;
    let (client, inside) = (TcpStream::from_std(client.into())?, TcpStream::from_std(inside.into())?);
    // Without it a client would only be slower.
    let _ = client.set_nodelay(true).and_then(|()| inside.set_nodelay(true));
    let traffic = Traffic::default();
    let inward = Flow { from: &client, to: &inside, count: &traffic.down, pipes };
    let outward = Flow { from: &inside, to: &client, count: &traffic.up, pipes };
    let ended = tokio::select! {
        end = join(outward.copy(), inward.copy(), &traffic, IDLE) => match end {
            End::Closed => Ended::Closed,
            End::Reset => Ended::Reset,
            End::Idle | End::Denied(_) => Ended::Cut,
        },
        _ = cut.wait_for(|cut| *cut) => Ended::Cut,
    };
    if ended == Ended::Closed {
        // Where it can't be set the peer is gone already.
        let _ = set_socket_linger(&client, None).and_then(|()| set_socket_linger(&inside, None));
    }
    Ok((ended, traffic.down.load(Ordering::Relaxed), traffic.up.load(Ordering::Relaxed)))
}
