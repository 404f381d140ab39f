//! The dialler's loop: attempts from the gate, acknowledgements from the supervisor, heartbeats to it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use bottle_policy::Rules;
use bottle_proxy::dialler::{Dialler, HostResolver, HostRoutes, Limits};
use bottle_proxy::{Attempt, Outcome};
use tokio::task::unconstrained;

use super::ledger::RemoteLedger;
use super::message::{FromDialler, FromGate, ToDialler, ToGate};
use crate::async_channel::AsyncChannel;
use crate::channel::Channel;
use crate::heartbeat::INTERVAL;

/// What serving takes.
pub(super) struct Parts {
    pub(super) gate: Channel,
    pub(super) rules: Rules,
    pub(super) resolver: HostResolver,
    pub(super) host: HostRoutes,
}

struct Service {
    dialler: Dialler<HostResolver, HostRoutes, RemoteLedger>,
    ledger: RemoteLedger,
    gate: AsyncChannel,
    supervisor: Arc<AsyncChannel>,
    /// The gate's number of an attempt to ours: ours never repeats, whatever the gate says.
    open: Mutex<HashMap<u64, u64>>,
    last: AtomicU64,
}

/// Serves until the gate or the supervisor is gone.
pub(super) async fn serve(supervisor: Channel, parts: Parts) -> io::Result<()> {
    let supervisor = Arc::new(AsyncChannel::new(supervisor)?);
    let ledger = RemoteLedger::new(Arc::clone(&supervisor));
    let service = Arc::new(Service {
        ledger: ledger.clone(),
        dialler: Dialler::new(parts.rules.into(), parts.resolver, parts.host, ledger, Limits::default()),
        gate: AsyncChannel::new(parts.gate)?,
        supervisor,
        open: Mutex::default(),
        last: AtomicU64::new(0),
    });
    tokio::select! {
        ended = from_gate(&service) => {
            let why = ended.as_ref().map_or_else(ToString::to_string, |never| match *never {});
            // A supervisor that is gone needs no answer.
            let _ = service.supervisor.send(&FromDialler::GateEnded(why), &[]).await;
            ended.map(|never| match never {})
        }
        ended = from_supervisor(&service) => ended,
        ended = beats(&service) => ended,
    }
}

async fn from_gate(service: &Arc<Service>) -> io::Result<Infallible> {
    loop {
        let (message, _) = service.gate.recv::<FromGate>().await?;
        match message {
            FromGate::Open(attempt) => begin(Box::pin(open(Arc::clone(service), attempt))).await,
            FromGate::Ended(outcome) => end(service, outcome).await,
        }
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

async fn open(service: Arc<Service>, mut attempt: Attempt) {
    let theirs = attempt.id;
    attempt.id = service.last.fetch_add(1, Ordering::Relaxed) + 1;
    service.open.lock().unwrap_or_else(PoisonError::into_inner).insert(theirs, attempt.id);
    let answer = match service.dialler.handle(attempt).await {
        Ok(socket) => service.gate.send(&ToGate::Opened(theirs), &[socket.as_fd()]).await,
        Err(refusal) => service.gate.send(&ToGate::Refused(theirs, refusal), &[]).await,
    };
    // A gate that is gone ends the loop that reads from it.
    let _ = answer;
}

async fn end(service: &Service, mut outcome: Outcome) {
    let known = service.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&outcome.attempt);
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
    let mut clock = tokio::time::interval(INTERVAL);
    loop {
        clock.tick().await;
        service.supervisor.send(&FromDialler::Beat, &[]).await?;
    }
}

#[cfg(test)]
mod tests {
    use bottle_policy::{Request, Seen, Target};
    use bottle_proxy::{Refusal, Way};

    use super::*;

    fn attempt() -> Attempt {
        let (source, original) = ("28.0.0.2:4000".parse().unwrap(), "28.1.2.3:443".parse().unwrap());
        let name = bottle_policy::Name::parse("a.example").unwrap();
        let request = Request { target: Target::Lease(name), port: 443, seen: Seen::Nothing };
        Attempt { id: 7, source, original, way: Way::Transparent, request, denied: None }
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
        let parts = Parts { gate: ours, rules: Rules::deny_all(), resolver, host: HostRoutes::open().unwrap() };
        gate.send(&FromGate::Open(attempt()), &[]).unwrap();
        gate.send(&FromGate::Ended(Outcome::refused(7, &Refusal::unavailable("cut"), 0)), &[]).unwrap();
        let heard = tokio::select! {
            ended = serve(theirs, parts) => panic!("{ended:?}"),
            heard = words(supervisor) => heard,
        };
        assert_eq!(heard, ["decided", "ended"]);
    }
}
