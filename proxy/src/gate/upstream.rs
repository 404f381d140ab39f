//! Who opens connections for the gate?

use std::future::Future;
use std::os::fd::OwnedFd;

use crate::{Attempt, Outcome, Refusal};

/// The dialler, as the gate knows it.
pub trait Upstream: Send + Sync + 'static {
    /// Asks for one connection. Every attempt is asked for, denied ones too, so that each is recorded.
    /// The socket comes connected and non-blocking. May be dropped before it answers: a socket that comes later is to be closed.
    fn open(&self, attempt: Attempt) -> impl Future<Output = Result<OwnedFd, Refusal>> + Send;

    /// Tells how an attempt ended: exactly once for each that was asked for.
    fn ended(&self, outcome: Outcome) -> impl Future<Output = ()> + Send;
}
