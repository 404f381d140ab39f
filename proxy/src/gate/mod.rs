//! Who meets the workload? The gate accepts, asks, denies and relays, on sockets that were handed in. It opens none.

mod accept;
mod challenge;
mod connection;
mod explicit;
mod first;
mod limits;
mod origin;
mod pending;
mod phase;
mod reply;
mod requests;
mod session;
mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bottle_policy::{Leases, Rules};

use crate::relay::{Pipes, PipesError};
use pending::Pending;
use phase::{Phase, Phases};

pub use accept::{Listeners, RunError};
pub use challenge::ChallengeKey;
pub use limits::Limits;
pub use origin::{LocalAddress, OriginalDst};
pub use upstream::Upstream;

/// What a gate is made of.
pub struct GateParts<U, O = LocalAddress> {
    /// What is allowed.
    pub rules: Arc<Rules>,
    /// Which address stands for which name.
    pub leases: Arc<Leases>,
    /// The way to the dialler.
    pub upstream: U,
    /// How a redirected connection's destination is found.
    pub original: O,
    /// How much it does at once.
    pub limits: Limits,
    /// What proves that it is this gate.
    pub challenge: ChallengeKey,
}

/// The gate's half. Cheap to clone: all clones are the same gate.
pub struct Gate<U, O = LocalAddress> {
    inner: Arc<Inner<U, O>>,
}

struct Inner<U, O> {
    parts: GateParts<U, O>,
    pipes: Pipes,
    pending: Pending,
    phases: Phases,
    last_id: AtomicU64,
    answered: AtomicU64,
}

impl<U: Upstream, O: OriginalDst> Gate<U, O> {
    /// Makes everything that needs a descriptor; afterwards it only accepts and is handed sockets.
    pub fn new(parts: GateParts<U, O>) -> Result<Self, PipesError> {
        let pipes = Pipes::new(parts.limits.pipes)?;
        let pending = Pending::new(parts.limits.pending, parts.limits.pending_bytes);
        let (last_id, answered) = (AtomicU64::new(0), AtomicU64::new(0));
        let inner = Inner { parts, pipes, pending, phases: Phases::default(), last_id, answered };
        Ok(Gate { inner: Arc::new(inner) })
    }

    /// Serves until it is drained or cut, and then until the last connection is over.
    pub async fn run(&self, listeners: Listeners) -> Result<(), RunError> {
        accept::run(&self.inner, listeners).await
    }

    /// How many connections it has answered itself, under its own name: of these nobody decides.
    pub fn answered(&self) -> u64 {
        self.inner.answered.load(Ordering::Relaxed)
    }

    /// Accepts no more, denies what is not yet decided, and lets the rest end by itself.
    pub fn drain(&self) {
        self.inner.phases.advance(Phase::Draining);
    }

    /// Ends every connection at once, with a reset to both sides.
    pub fn cut(&self) {
        self.inner.phases.advance(Phase::Cut);
    }
}

impl<U, O> Inner<U, O> {
    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl<U, O> Clone for Gate<U, O> {
    fn clone(&self) -> Self {
        Gate { inner: Arc::clone(&self.inner) }
    }
}
