//! How are connections taken in, however many come?

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::connection::{Admission, transparent};
use super::explicit::explicit;
use super::phase::Phase;
use super::{Inner, OriginalDst, Upstream};

/// The sockets that a gate serves. They are non-blocking and listening.
#[derive(Debug, Default)]
pub struct Listeners {
    /// What is redirected here.
    pub transparent: Vec<StdListener>,
    /// The explicit proxy.
    pub explicit: Vec<StdListener>,
}

/// The gate could not begin to serve.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve a listening socket")]
pub struct RunError(#[source] io::Error);

#[derive(Clone, Copy)]
enum Kind {
    Transparent,
    Explicit,
}

/// Connections beyond the limit that are being denied at the same time.
const OVERFLOW: usize = 32;
const BREATH: Duration = Duration::from_millis(10);

struct Slots {
    regular: Arc<Semaphore>,
    overflow: Arc<Semaphore>,
}

pub(super) async fn run<U: Upstream, O: OriginalDst>(
    inner: &Arc<Inner<U, O>>,
    listeners: Listeners,
) -> Result<(), RunError> {
    let slots = Arc::new(Slots {
        regular: Arc::new(Semaphore::new(inner.parts.limits.connections)),
        overflow: Arc::new(Semaphore::new(OVERFLOW)),
    });
    let kinds = [(Kind::Transparent, listeners.transparent), (Kind::Explicit, listeners.explicit)];
    let mut serving = JoinSet::new();
    for (kind, sockets) in kinds {
        for socket in sockets {
            let listener = TcpListener::from_std(socket).map_err(RunError)?;
            serving.spawn(serve(Arc::clone(inner), listener, kind, Arc::clone(&slots)));
        }
    }
    while serving.join_next().await.is_some() {}
    Ok(())
}

/// One listener, until the gate drains; then its connections, until the last one ends.
async fn serve<U: Upstream, O: OriginalDst>(
    inner: Arc<Inner<U, O>>,
    listener: TcpListener,
    kind: Kind,
    slots: Arc<Slots>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = inner.phases.reached(Phase::Draining) => break,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let admitted = slots.next(&inner).await;
                connections.spawn(one(Arc::clone(&inner), stream, kind, admitted));
            }
            Err(error) if is_the_peers(&error) => {}
            // Out of descriptors or memory: make room, so that this can't last.
            Err(_) => {
                inner.pending.evict_oldest();
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn one<U: Upstream, O: OriginalDst>(
    inner: Arc<Inner<U, O>>,
    stream: TcpStream,
    kind: Kind,
    (admission, slot): Admitted,
) {
    // Boxed: a task takes the size of its largest state, and most connections never reach it.
    match kind {
        Kind::Transparent => Box::pin(transparent(&inner, stream, admission)).await,
        Kind::Explicit => Box::pin(explicit(&inner, stream, admission)).await,
    }
    drop(slot);
}

/// Errors of accept that belong to the connection that was to be accepted.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | WouldBlock)
}

type Admitted = (Admission, OwnedSemaphorePermit);

impl Slots {
    /// Room for one more. Where there is none, the oldest pending connection makes some; if none is pending, the new one is
    /// denied. Where even denials pile up, connections wait in the kernel's queue.
    async fn next<U, O>(&self, inner: &Inner<U, O>) -> Admitted {
        if let Ok(slot) = Arc::clone(&self.regular).try_acquire_owned() {
            return (Admission::Regular, slot);
        }
        let (kind, semaphore) = match inner.pending.evict_oldest() {
            true => (Admission::Regular, &self.regular),
            false => (Admission::Denied, &self.overflow),
        };
        match Arc::clone(semaphore).acquire_owned().await {
            Ok(slot) => (kind, slot),
            // The semaphores are never closed.
            Err(_) => std::future::pending().await,
        }
    }
}
