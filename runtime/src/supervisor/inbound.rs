//! Who comes in by a published port? Taken in here, recorded, and only then connected to the workload and handed to the gate.
//!
//! No byte is read here. Who is dropped on the way is reset.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bottle_evidence::audit;
use bottle_netns::{Layout, namespace_of};
use bottle_proxy::Ended;
use rustix::net::sockopt::{set_socket_linger, socket_protocol, socket_type};
use rustix::net::{SocketType, ipproto};
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::recorder::{NotRecorded, Recorder};
use crate::async_channel::AsyncChannel;
use crate::channel::Channel;
use crate::gate::message::ToGate;
use crate::init::message::ToInit;
use crate::publish::{self, Bound, Published};
use crate::thread;

/// How many connections there may be at once, where there are descriptors enough. More wait in the kernel's queue.
const MOST: usize = 256;

/// Which part of the descriptors that the gate may have is for them, two for each.
const PART: usize = 16;

/// How long whoever listens inside may take to take a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait where there is no descriptor for a connection that is there.
const BREATH: Duration = Duration::from_millis(10);

/// How many connections from outside there may be at once: the gate has as many descriptors as this process may have.
pub(crate) fn most(published: &[Bound]) -> usize {
    let descriptors = getrlimit(Resource::Nofile).maximum.and_then(|most| usize::try_from(most).ok());
    if published.is_empty() { 0 } else { (descriptors.unwrap_or(usize::MAX) / PART).clamp(1, MOST) }
}

/// The published ports of a bottle that runs. Dropped, it takes nobody in any more, and resets who is on the way.
pub(crate) struct Acceptor {
    admission: Arc<Admission>,
    listeners: Vec<(Published, Arc<TcpListener>)>,
    _serving: JoinSet<()>,
}

/// What it takes to let somebody in.
pub(crate) struct Admission {
    recorder: Arc<Recorder>,
    init: Arc<AsyncChannel>,
    gate: Arc<Channel>,
    /// The cookie of the agent's namespace.
    agent: u64,
    slots: Arc<Semaphore>,
    last: AtomicU64,
    /// Who waits for a socket of init's.
    waiting: Mutex<HashMap<u64, oneshot::Sender<OwnedFd>>>,
}

impl Admission {
    /// `most` as of [`most`]; `agent` is the cookie of the agent's namespace.
    pub(crate) fn new(
        recorder: Arc<Recorder>,
        init: Arc<AsyncChannel>,
        gate: Arc<Channel>,
        agent: u64,
        most: usize,
    ) -> Admission {
        let (slots, last) = (Arc::new(Semaphore::new(most)), AtomicU64::new(0));
        Admission { recorder, init, gate, agent, slots, last, waiting: Mutex::default() }
    }
}

impl Acceptor {
    /// Lets in from here on.
    pub(crate) fn open(published: Vec<Bound>, admission: Admission) -> io::Result<Acceptor> {
        let (admission, mut serving, mut listeners) = (Arc::new(admission), JoinSet::new(), Vec::new());
        for Bound { at, listener } in published {
            let listener = Arc::new(TcpListener::from_std(listener)?);
            serving.spawn(serve(Arc::clone(&admission), at, Arc::clone(&listener)));
            listeners.push((at, listener));
        }
        Ok(Acceptor { admission, listeners, _serving: serving })
    }

    /// Where the kernel says that it listens, by now.
    ///
    /// # Errors
    /// `InvalidData` where it does not listen there any more, or not alone.
    pub(crate) fn measured(&self) -> io::Result<Vec<Published>> {
        self.listeners.iter().map(|(at, listener)| publish::measured(*at, listener.local_addr()?, listener)).collect()
    }

    /// Init has begun to connect, or could not: then no socket came along.
    pub(crate) fn connecting(&self, number: u64, sockets: Vec<OwnedFd>) {
        let waiting = self.admission.waiting().remove(&number);
        if let (Some(waiting), Some(socket)) = (waiting, sockets.into_iter().next()) {
            // Who has given up needs it no more.
            let _ = waiting.send(socket);
        }
    }
}

async fn serve(admission: Arc<Admission>, at: Published, listener: Arc<TcpListener>) {
    let mut entering = JoinSet::new();
    loop {
        while entering.try_join_next().is_some() {}
        let Ok((client, peer)) = listener.accept().await else {
            // The connection's own fault, or no descriptor for it.
            tokio::time::sleep(BREATH).await;
            continue;
        };
        if reset_when_dropped(&client).is_err() {
            continue;
        }
        // Where there is no room the others wait in the kernel's queue.
        let Ok(slot) = Arc::clone(&admission.slots).acquire_owned().await else { return };
        entering.spawn(enter(Arc::clone(&admission), at, client, peer, slot));
    }
}

async fn enter(
    admission: Arc<Admission>,
    at: Published,
    client: TcpStream,
    peer: SocketAddr,
    slot: OwnedSemaphorePermit,
) {
    let begun = Instant::now();
    let connection = admission.last.fetch_add(1, Ordering::Relaxed) + 1;
    let entry = audit::Inbound {
        connection,
        peer: peer.ip(),
        peer_port: peer.port(),
        address: at.address,
        port: at.port,
        inside: at.inside,
    };
    if admission.record(entry, slot).await.is_err() {
        return;
    }
    let ended = match admission.inside(connection, at.inside).await {
        Ok(inside) => admission.hand_over(connection, client, inside).await.err().map(|_| Ended::Cut),
        Err(ended) => Some(ended),
    };
    if let Some(ended) = ended {
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        admission.recorder.inbound_ended(connection, ended, [0, 0, millis]);
    }
}

/// Nobody must take a connection for whole that was not.
fn reset_when_dropped(stream: &TcpStream) -> io::Result<()> {
    Ok(set_socket_linger(stream, Some(Duration::ZERO))?)
}

impl Admission {
    /// In a thread of its own, since the disk takes its time.
    async fn record(&self, entry: audit::Inbound, slot: OwnedSemaphorePermit) -> Result<(), NotRecorded> {
        let recorder = Arc::clone(&self.recorder);
        let recorded = thread::awaited(move || recorder.inbound(entry, slot)).map_err(|_| NotRecorded)?;
        recorded.await.unwrap_or(Err(NotRecorded))
    }

    /// A connection to whoever listens on this port inside: on loopback, or at the bottle's own address.
    async fn inside(&self, connection: u64, port: u16) -> Result<TcpStream, Ended> {
        let own = Layout::default().agent.v4;
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(own)] {
            match timeout(PATIENCE, self.connected(connection, SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(_refused)) => {}
                Err(_late) => {
                    self.waiting().remove(&connection);
                    return Err(Ended::Unreachable);
                }
            }
        }
        Err(Ended::Refused)
    }

    async fn connected(&self, connection: u64, to: SocketAddr) -> io::Result<TcpStream> {
        let (tell, told) = oneshot::channel();
        self.waiting().insert(connection, tell);
        self.init.send(&ToInit::Connect { connection, to }, &[]).await?;
        let socket = told.await.map_err(io::Error::other)?;
        self.demand_inside(&socket)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let stream = TcpStream::from_std(socket.into())?;
        stream.writable().await?;
        let error = stream.take_error()?;
        // A socket whose source port happens to be the one asked for connects to itself where nobody listens.
        let is_right = error.is_none() && stream.peer_addr()? == to && stream.local_addr()? != to;
        if is_right { Ok(stream) } else { Err(error.unwrap_or_else(|| io::ErrorKind::ConnectionRefused.into())) }
    }

    /// Whatever init hands over, the gate gets nothing but a TCP socket of the agent's namespace.
    fn demand_inside(&self, socket: &OwnedFd) -> io::Result<()> {
        let is_inside = socket_type(socket)? == SocketType::STREAM
            && socket_protocol(socket)? == Some(ipproto::TCP)
            && namespace_of(socket)? == self.agent;
        if is_inside { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// In a thread of its own: a gate that reads nothing is waited for.
    async fn hand_over(&self, connection: u64, client: TcpStream, inside: TcpStream) -> io::Result<()> {
        reset_when_dropped(&inside)?;
        let (client, inside, gate) = (client.into_std()?, inside.into_std()?, Arc::clone(&self.gate));
        let sent =
            thread::awaited(move || gate.send(&ToGate::Inbound { connection }, &[client.as_fd(), inside.as_fd()]))?;
        sent.await.map_err(io::Error::other)?
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<OwnedFd>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "inbound_tests.rs"]
mod tests;
