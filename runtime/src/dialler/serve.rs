//! The dialler's loop: attempts from the gate, acknowledgements from the supervisor, heartbeats to it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bottle_policy::Rules;
use bottle_proxy::dialler::{Dialler, HostResolver, HostRoutes, Limits};
use bottle_proxy::{Attempt, Outcome};

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
            FromGate::Open(attempt) => {
                tokio::spawn(open(Arc::clone(service), attempt));
            }
            FromGate::Ended(outcome) => end(service, outcome).await,
        }
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
            ToDialler::Recorded(attempt) => service.ledger.answered(attempt, true),
            ToDialler::NotRecorded(attempt) => service.ledger.answered(attempt, false),
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
