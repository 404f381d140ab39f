//! The gate's loops: the proxy, the sinkhole, the packet log, heartbeats; the first that ends ends all.

use std::convert::Infallible;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bottle_dns::Sinkhole;
use bottle_policy::lease::POOL;
use bottle_policy::{Leases, Rules};
use bottle_proxy::gate::{ChallengeKey, LocalAddress};
use bottle_proxy::{Gate, GateParts, Listeners};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::inbound::Inbound;
use super::limits::GateLimits;
use super::message::{FromGate, ToGate};
use super::refusals::{self, Refusals};
use super::upstream::{self, DiallerEnded, RemoteDialler};
use crate::async_channel::AsyncChannel;
use crate::channel::Channel;
use crate::heartbeat::{self, Pulse};
use crate::report::chain;
use crate::sys;

/// What the gate was handed, sorted.
pub(super) struct Parts {
    pub(super) dialler: Channel,
    pub(super) rules: Arc<Rules>,
    pub(super) lease_key: [u8; 32],
    pub(super) challenge_key: [u8; 32],
    pub(super) transparent: Vec<TcpListener>,
    pub(super) explicit: Vec<TcpListener>,
    pub(super) dns_udp: Vec<UdpSocket>,
    pub(super) dns_tcp: Vec<TcpListener>,
    pub(super) nflog: Vec<OwnedFd>,
    /// How many connections from outside there may be at once.
    pub(super) inbound: usize,
    pub(super) limits: GateLimits,
}

type Proxy = Gate<RemoteDialler>;

/// Those that the workload opens, and those from outside.
#[derive(Clone)]
struct Connections {
    proxy: Proxy,
    inbound: Arc<Inbound>,
}

impl Connections {
    fn cut(&self) {
        self.proxy.cut();
        self.inbound.cut();
    }
}

/// How long what is under way may take to finish when the workload is gone.
const GRACE: Duration = Duration::from_secs(1);

/// How long the supervisor may take to take the last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

type Loops = JoinSet<io::Result<Infallible>>;

/// Serves until something that must not end has ended, and says what.
pub(super) async fn serve(supervisor: Channel, parts: Parts) -> io::Result<()> {
    let supervisor = Arc::new(AsyncChannel::new(supervisor)?);
    let logs = parts.nflog.iter().map(OwnedFd::try_clone).collect::<io::Result<_>>()?;
    let refusals = Arc::new(Refusals::new(logs));
    let leases = Arc::new(Leases::new(parts.lease_key, POOL));
    let mut loops = Loops::new();
    let dialler = RemoteDialler::new(AsyncChannel::new(parts.dialler)?);
    loops.spawn(upstream::answers(dialler.clone()));
    let gate = Gate::new(GateParts {
        rules: Arc::clone(&parts.rules),
        leases: Arc::clone(&leases),
        upstream: dialler,
        original: LocalAddress,
        limits: parts.limits.proxy,
        challenge: ChallengeKey::new(parts.challenge_key),
    });
    let gate = gate.map_err(io::Error::other)?;
    let inbound = Inbound::new(Arc::clone(&supervisor), parts.inbound).map_err(io::Error::other)?;
    let connections = Connections { proxy: gate.clone(), inbound: Arc::new(inbound) };
    let listeners = Listeners { transparent: parts.transparent, explicit: parts.explicit };
    let all = connections.clone();
    loops.spawn(async move {
        all.proxy.run(listeners).await.map_err(io::Error::other)?;
        all.inbound.finished().await;
        Err(io::Error::other("the proxy has finished"))
    });
    let sinkhole =
        Sinkhole::new(parts.rules, leases, parts.limits.dns, Arc::clone(&refusals) as Arc<dyn bottle_dns::Denials>);
    let sinkhole = Arc::new(sinkhole.with_gate(bottle_netns::Layout::default().gate.v4));
    for socket in parts.dns_udp {
        let sinkhole = Arc::clone(&sinkhole);
        loops.spawn(async { bottle_dns::serve_udp(socket, sinkhole).await.map_err(io::Error::other) });
    }
    for listener in parts.dns_tcp {
        let sinkhole = Arc::clone(&sinkhole);
        loops.spawn(async { bottle_dns::serve_tcp(listener, sinkhole).await.map_err(io::Error::other) });
    }
    for socket in parts.nflog {
        loops.spawn(refusals::packets(socket, Arc::clone(&refusals)));
    }
    loops.spawn(refusals::report(Arc::clone(&supervisor), Arc::clone(&refusals)));
    let answered = Arc::new(Answered { proxy: gate, sinkhole, before: AtomicU64::new(0) });
    loops.spawn(beats(Arc::clone(&supervisor), Arc::clone(&answered)));
    loops.spawn(listen(Arc::clone(&supervisor), connections.clone(), Arc::clone(&refusals), Arc::clone(&answered)));
    let error = match loops.join_next().await {
        Some(Ok(Err(error))) => error,
        _ => io::Error::other("a loop broke"),
    };
    // Before a word is said: a supervisor that is stopped takes none, and would be waited for while connections go on.
    connections.cut();
    say_and_close(last_words(&supervisor, &refusals, &answered, &error), loops).await;
    Err(error)
}

/// What the supervisor takes at once is said before the listeners are closed, which it would notice and take for the cause.
async fn say_and_close(words: impl Future<Output = io::Result<()>>, mut loops: Loops) {
    let mut words = pin!(words);
    let said = timeout(Duration::ZERO, &mut words).await;
    loops.shutdown().await;
    if said.is_err() {
        let _ = timeout(LAST_WORDS, words).await;
    }
}

/// What was refused in the last moments belongs to the run too. A supervisor that is gone needs no answer.
async fn last_words(
    supervisor: &AsyncChannel,
    refusals: &Refusals,
    answered: &Answered,
    error: &io::Error,
) -> io::Result<()> {
    refusals.finish();
    refusals.tell(supervisor).await?;
    supervisor.send(&answered.said(), &[]).await?;
    supervisor.send(&last_word(error), &[]).await
}

/// Names the cause: a gate whose dialler is gone ends because of it.
fn last_word(error: &io::Error) -> FromGate {
    match error.get_ref().is_some_and(|error| error.is::<DiallerEnded>()) {
        true => FromGate::DiallerEnded(error.to_string()),
        false => FromGate::Failed(chain(error)),
    }
}

/// Connections of which nobody decides: to the resolver, and to the gate itself.
struct Answered {
    proxy: Proxy,
    sinkhole: Arc<Sinkhole>,
    /// Those of the probes, which belong to no run.
    before: AtomicU64,
}

impl Answered {
    fn all(&self) -> u64 {
        self.proxy.answered() + self.sinkhole.answered()
    }

    fn begin(&self) {
        self.before.store(self.all(), Ordering::Relaxed);
    }

    fn said(&self) -> FromGate {
        FromGate::Answered { connections: self.all() - self.before.load(Ordering::Relaxed) }
    }
}

/// Alive, and how many connections it has answered by now: a gate that is killed can't say it any more.
async fn beats(supervisor: Arc<AsyncChannel>, answered: Arc<Answered>) -> io::Result<Infallible> {
    let (mut clock, mut beat) = (heartbeat::clock(), 0_u32);
    loop {
        clock.tick().await;
        supervisor.send(&answered.said(), &[]).await?;
        supervisor.send(&FromGate::Beat, &[]).await?;
        beat = beat.saturating_add(1);
        if beat == heartbeat::SETTLED {
            // Not while the start goes on, which would wait for it.
            sys::give_back_memory();
        }
    }
}

/// Hears the supervisor. Silence means that it is stopped or gone: then nobody watches, and everything is cut.
async fn listen(
    supervisor: Arc<AsyncChannel>,
    connections: Connections,
    refusals: Arc<Refusals>,
    answered: Arc<Answered>,
) -> io::Result<Infallible> {
    let mut pulse = Pulse::default();
    loop {
        tokio::select! {
            biased;
            message = supervisor.recv_though_short::<ToGate>() => match message? {
                (ToGate::Beat, _) => pulse.beat(),
                (ToGate::Inbound { connection }, sockets) => connections.inbound.take(connection, sockets),
                (ToGate::Begin, _) => {
                    refusals.begin();
                    answered.begin();
                    supervisor.send(&FromGate::Begun, &[]).await?;
                }
                (ToGate::Finish, _) => {
                    connections.proxy.drain();
                    let connections = connections.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(GRACE).await;
                        connections.cut();
                    });
                }
            },
            () = pulse.silent() => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
