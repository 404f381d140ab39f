//! Who connects to the outside, and in which order? Decide again, record, resolve, check, dial; hand the socket over.
//!
//! Where there is an upstream proxy, only its own name is resolved, and it is asked for what was allowed.

mod check;
mod eyeballs;
mod host;
mod recent;
mod resolve;
mod tunnel;

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bottle_policy::{Reason, Rules, Verdict, decide};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::permit::{self, Ledger, Permit};
use crate::promise::question;
use crate::{Attempt, Outcome, Refusal, UpstreamProxy};

pub use check::Checked;
pub use host::{HostAddresses, HostRoutes, HostRoutesError};
pub use resolve::{Addresses, HostResolver, HostResolverError, Resolve, ResolveError};

/// How much the dialler does at once, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Attempts between decision and connection. More are denied.
    pub dials: usize,
    /// For one resolution.
    pub resolve: Duration,
    /// For one connection, over all its addresses.
    pub connect: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { dials: 1024, resolve: Duration::from_secs(10), connect: Duration::from_secs(20) }
    }
}

/// The dialler's half: everything that it needs is handed in.
#[derive(Debug)]
pub struct Dialler<R, H, L> {
    rules: Arc<Rules>,
    resolver: R,
    host: H,
    ledger: L,
    limits: Limits,
    proxy: Option<Arc<UpstreamProxy>>,
    dials: Semaphore,
    open: Mutex<HashSet<u64>>,
}

impl<R: Resolve, H: HostAddresses, L: Ledger> Dialler<R, H, L> {
    /// A dialler under these rules.
    pub fn new(rules: Arc<Rules>, resolver: R, host: H, ledger: L, limits: Limits) -> Self {
        let dials = Semaphore::new(limits.dials);
        Dialler { rules, resolver, host, ledger, limits, proxy: None, dials, open: Mutex::default() }
    }

    /// The same, but everything except the host's loopback is dialled through this proxy, if there is one.
    #[must_use]
    pub fn through(self, proxy: Option<UpstreamProxy>) -> Self {
        Dialler { proxy: proxy.map(Arc::new), ..self }
    }

    /// One attempt: exactly one decision entry, and a connected, non-blocking socket only after that entry is durable.
    pub async fn handle(&self, attempt: Attempt) -> Result<OwnedFd, Refusal> {
        if !self.lock_open().insert(attempt.id) {
            return Err(Refusal::unavailable("an attempt with this id is open already"));
        }
        let slot = self.dials.try_acquire();
        let verdict = self.verdict(&attempt, slot.is_ok());
        let permit = permit::record(&self.ledger, &attempt, verdict).await?;
        let checked = self.resolve(&permit).await?;
        self.dial(permit, checked).await
    }

    /// Passes the gate's outcome on, once for each attempt that was handled.
    pub async fn ended(&self, outcome: Outcome) {
        if self.lock_open().remove(&outcome.attempt) {
            self.ledger.ended(outcome).await;
        }
    }

    /// The rules' verdict; the gate's own denial and our limits can only narrow it.
    fn verdict(&self, attempt: &Attempt, room: bool) -> Verdict {
        let narrowed = match attempt.denied {
            Some(reason) => Some(reason),
            None if !attempt.is_consistent() => Some(Reason::NameMismatch),
            None if !room => Some(Reason::Limit),
            None => None,
        };
        match (decide(&self.rules, &question(&self.rules, attempt)), narrowed) {
            (Verdict::Allow(_) | Verdict::Peek | Verdict::Escalate(_), Some(reason)) => Verdict::Deny(reason),
            // Whatever the rules would say of the proxy's own address, nobody asked for it.
            (Verdict::Deny(_), Some(reason)) if attempt.names_nothing() => Verdict::Deny(reason),
            (verdict, _) => verdict,
        }
    }

    async fn resolve(&self, permit: &Permit) -> Result<Checked, Refusal> {
        let resolving = async {
            match &self.proxy {
                None => check::resolve(permit, &self.rules, &self.resolver, &self.host).await,
                Some(proxy) => check::through(proxy, permit, &self.rules, &self.resolver, &self.host).await,
            }
        };
        timeout(self.limits.resolve, resolving)
            .await
            .unwrap_or_else(|_| Err(Refusal::unreachable("no answer from DNS in time")))
    }

    async fn dial(&self, permit: Permit, checked: Checked) -> Result<OwnedFd, Refusal> {
        let late =
            if checked.is_proxied() { "no answer from the upstream proxy in time" } else { "no connection in time" };
        let dialling = eyeballs::dial(permit, checked);
        timeout(self.limits.connect, dialling).await.unwrap_or_else(|_| Err(Refusal::unreachable(late)))
    }

    fn lock_open(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
