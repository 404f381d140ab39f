//! The dialler's loop: attempts from the gate, acknowledgements from the supervisor, heartbeats to it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bottle_policy::Rules;
use bottle_proxy::dialler::{Dialler, HostResolver, HostRoutes, Limits};
use bottle_proxy::{Attempt, Outcome, UpstreamProxy};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::unconstrained;
use tokio::time::Instant;

use super::claims::Claims;
use super::ledger::RemoteLedger;
use super::message::{FromDialler, FromGate, ToDialler, ToGate};
use crate::async_channel::AsyncChannel;
use crate::channel::{Channel, why_unheard};
use crate::heartbeat::{self, PATIENCE};
use crate::sys;

/// What serving takes.
pub(super) struct Parts {
    pub(super) gate: Channel,
    pub(super) rules: Rules,
    pub(super) resolver: HostResolver,
    pub(super) host: HostRoutes,
    pub(super) upstream_proxy: Option<UpstreamProxy>,
}

struct Service {
    dialler: Dialler<HostResolver, HostRoutes, RemoteLedger>,
    ledger: RemoteLedger,
    gate: AsyncChannel,
    supervisor: Arc<AsyncChannel>,
    /// The gate's number of an attempt to ours: ours never repeats, whatever the gate says.
    open: Mutex<HashMap<u64, u64>>,
    last: AtomicU64,
    claims: Mutex<Claims>,
}

/// Attempts that are worked on at once: more than are dialled at once, so that those beyond are denied without delay.
const AT_ONCE: usize = 4096;

/// Attempts without an outcome: several times what the gate's own limit lets it have.
const MOST_OPEN: usize = 32_768;

/// Serves until the gate or the supervisor is gone.
pub(super) async fn serve(supervisor: Channel, parts: Parts) -> io::Result<()> {
    let supervisor = Arc::new(AsyncChannel::new(supervisor)?);
    let ledger = RemoteLedger::new(Arc::clone(&supervisor));
    let dialler = Dialler::new(parts.rules.into(), parts.resolver, parts.host, ledger.clone(), Limits::default());
    let service = Arc::new(Service {
        ledger,
        dialler: dialler.through(parts.upstream_proxy),
        gate: AsyncChannel::new(parts.gate)?,
        supervisor,
        open: Mutex::default(),
        last: AtomicU64::new(0),
        claims: Mutex::default(),
    });
    tokio::select! {
        ended = from_gate(&service) => {
            let why = ended.as_ref().map_or_else(why_unheard, |never| match *never {});
            // A supervisor that is gone needs no answer.
            let _ = service.supervisor.send(&FromDialler::GateEnded(why), &[]).await;
            ended.map(|never| match never {})
        }
        ended = from_supervisor(&service) => ended,
        ended = beats(&service) => ended,
    }
}

/// What the gate says counts only within bounds that one in order never comes near.
async fn from_gate(service: &Arc<Service>) -> io::Result<Infallible> {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut clock = heartbeat::clock();
    loop {
        // What comes when all slots are taken waits in the channel, and then in the gate.
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((slot, service.gate.recv::<FromGate>().await?.0))
        };
        let (slot, message) = tokio::select! {
            biased;
            next = next => next?,
            _ = clock.tick() => {
                service.ask(slots.available_permits() > 0).await?;
                continue;
            }
        };
        service.claims().heard(Instant::now())?;
        match message {
            FromGate::Open(attempt) => {
                let ours = service.admit(attempt.id)?;
                begin(Box::pin(open(Arc::clone(service), attempt, ours, slot))).await;
            }
            FromGate::Ended(outcome) => end(service, outcome).await,
            FromGate::Claimed => service.claims().claimed(),
        }
    }
}

impl Service {
    /// Our number for an attempt of the gate's.
    fn admit(&self, theirs: u64) -> io::Result<u64> {
        let broken = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
        let mut open = self.open();
        if open.len() >= MOST_OPEN {
            return broken("it has more attempts open than it can serve");
        }
        let ours = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        if open.insert(theirs, ours).is_some() { broken("it gave one number to two attempts") } else { Ok(ours) }
    }

    /// Makes sure that what was sent is taken. Called when nothing is heard: either all was, or no slot is free.
    async fn ask(&self, all_was_heard: bool) -> io::Result<()> {
        if all_was_heard {
            self.claims().quiet(Instant::now())?;
        }
        let due = self.claims().ask(Instant::now());
        if due { self.answer(&ToGate::Claim, &[]).await } else { Ok(()) }
    }

    /// Sends to a gate that reads in time.
    async fn answer(&self, message: &ToGate, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let sent = tokio::time::timeout(PATIENCE, self.gate.send(message, descriptors)).await;
        if sent.is_err() {
            self.claims().stuck();
        }
        sent.unwrap_or_else(|late| Err(late.into()))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs as far as it comes at once, which is until its decision is on its way: nothing that the gate says later about
/// this attempt can overtake that. The rest is a task.
async fn begin(mut opening: Pin<Box<impl Future<Output = ()> + Send + 'static>>) {
    // Out of its turn at the scheduler too.
    let mut first = unconstrained(opening.as_mut());
    if poll_fn(|context| Poll::Ready(Pin::new(&mut first).poll(context))).await.is_pending() {
        tokio::spawn(opening);
    }
}

async fn open(service: Arc<Service>, mut attempt: Attempt, ours: u64, _slot: OwnedSemaphorePermit) {
    let theirs = std::mem::replace(&mut attempt.id, ours);
    let answer = match service.dialler.handle(attempt).await {
        Ok(socket) => service.answer(&ToGate::Opened(theirs), &[socket.as_fd()]).await,
        Err(refusal) => service.answer(&ToGate::Refused(theirs, refusal), &[]).await,
    };
    // A gate that is gone, or takes nothing, ends the loop that reads from it.
    let _ = answer;
    service.claims().sent();
}

async fn end(service: &Service, mut outcome: Outcome) {
    let known = service.open().remove(&outcome.attempt);
    if let Some(ours) = known {
        outcome.attempt = ours;
        service.dialler.ended(outcome).await;
    }
}

/// A supervisor that is stopped answers nothing, so nothing is dialled; one that is gone ends this loop.
async fn from_supervisor(service: &Service) -> io::Result<()> {
    loop {
        match service.supervisor.recv::<ToDialler>().await?.0 {
            ToDialler::Recorded(attempts) => service.ledger.answered(&attempts, true),
            ToDialler::NotRecorded(attempts) => service.ledger.answered(&attempts, false),
        }
    }
}

async fn beats(service: &Service) -> io::Result<()> {
    let (mut clock, mut beat) = (heartbeat::clock(), 0_u32);
    loop {
        clock.tick().await;
        service.supervisor.send(&FromDialler::Beat, &[]).await?;
        beat = beat.saturating_add(1);
        if beat == heartbeat::SETTLED {
            // Not while the start goes on, which would wait for it.
            sys::give_back_memory();
        }
    }
}

#[cfg(test)]
mod tests {
    use bottle_policy::{Name, Request, Seen, Target};
    use bottle_proxy::{Refusal, Way};

    use super::*;

    fn attempt(id: u64) -> Attempt {
        let target = Target::Lease(Name::parse("api.example.com").unwrap());
        let request = Request { target, port: 443, seen: Seen::Nothing };
        let (source, original) = ("28.0.0.2:4000".parse().unwrap(), "28.1.2.3:443".parse().unwrap());
        Attempt { id, source, original, way: Way::Transparent, request, denied: None }
    }

    /// Serves a gate that has said this and then says and reads nothing; tells what the supervisor hears of its end.
    fn heard_of(said: &[FromGate]) -> String {
        let (ours, supervisor) = Channel::pair().unwrap();
        let (gate, theirs) = Channel::pair().unwrap();
        said.iter().for_each(|message| theirs.send(message, &[]).unwrap());
        let mut tokio = tokio::runtime::Builder::new_current_thread();
        let tokio = tokio.enable_all().start_paused(true).build().unwrap();
        tokio.block_on(async {
            let (resolver, host) = (HostResolver::system().unwrap(), HostRoutes::open().unwrap());
            let parts = Parts { gate, rules: Rules::deny_all(), resolver, host, upstream_proxy: None };
            tokio::spawn(serve(ours, parts));
            let supervisor = AsyncChannel::new(supervisor).unwrap();
            loop {
                match supervisor.recv::<FromDialler>().await.unwrap().0 {
                    FromDialler::Decided(record) => {
                        supervisor.send(&ToDialler::Recorded(vec![record.attempt.id]), &[]).await.unwrap();
                    }
                    FromDialler::GateEnded(why) => return why,
                    _ => {}
                }
            }
        })
    }

    #[test]
    fn a_gate_that_leaves_its_answers_lying_is_ended() {
        assert_eq!(heard_of(&[FromGate::Open(attempt(1))]), "it does not take the connections that it asked for");
    }

    #[test]
    fn a_gate_that_gives_one_number_twice_is_ended() {
        let twice = [FromGate::Open(attempt(1)), FromGate::Open(attempt(1))];
        assert_eq!(heard_of(&twice), "it gave one number to two attempts");
    }

    async fn words(supervisor: Channel) -> Vec<&'static str> {
        let (supervisor, mut words, mut beats) = (AsyncChannel::new(supervisor).unwrap(), Vec::new(), 0);
        while words.len() < 2 && beats < 3 {
            match supervisor.recv::<FromDialler>().await.unwrap().0 {
                FromDialler::Decided(_) => words.push("decided"),
                FromDialler::Ended(_) => words.push("ended"),
                _ => beats += 1,
            }
        }
        words
    }

    #[tokio::test]
    async fn an_outcome_that_comes_right_behind_its_attempt_follows_the_decision() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name| directory.path().join(name);
        let ((gate, ours), (supervisor, theirs)) = (Channel::pair().unwrap(), Channel::pair().unwrap());
        let resolver = HostResolver::new(file("resolv.conf"), file("hosts")).unwrap();
        let host = HostRoutes::open().unwrap();
        let parts = Parts { gate: ours, rules: Rules::deny_all(), resolver, host, upstream_proxy: None };
        gate.send(&FromGate::Open(attempt(7)), &[]).unwrap();
        gate.send(&FromGate::Ended(Outcome::refused(7, &Refusal::unavailable("cut"), 0)), &[]).unwrap();
        let heard = tokio::select! {
            ended = serve(theirs, parts) => panic!("{ended:?}"),
            heard = words(supervisor) => heard,
        };
        assert_eq!(heard, ["decided", "ended"]);
    }
}
