//! What becomes of one redirected connection?

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use bottle_policy::{Reason, Request, Seen, Target, Verdict, decide};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::first::{First, first_bytes};
use super::phase::Phase;
use super::session::{Start, session};
use super::{Inner, OriginalDst, Upstream};
use crate::promise::question;
use crate::sniff::Sniffer;
use crate::{Attempt, Ended, Outcome, Refusal, Way};

/// Whether there was room for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Regular,
    Denied,
}

const CUT: &str = "cut";

pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// From accept to the end. Every way through here asks the dialler once and reports one outcome.
pub(super) async fn transparent<U: Upstream, O: OriginalDst>(
    inner: &Inner<U, O>,
    client: TcpStream,
    admission: Admission,
) {
    let begun = Instant::now();
    let original = inner.parts.original.original(&client);
    let place = original.as_ref().copied().unwrap_or(NOWHERE);
    let request = Request { target: inner.target(place), port: place.port(), seen: Seen::Nothing };
    let mut attempt = inner.attempt(&client, place, Way::Transparent, request);
    attempt.denied = match (original, admission) {
        (Err(_), _) => Some(Reason::Unavailable),
        (Ok(_), Admission::Denied) => Some(Reason::Limit),
        (Ok(_), Admission::Regular) => None,
    };
    let start = match decide(&inner.parts.rules, &attempt.request) {
        Verdict::Peek if attempt.denied.is_none() => peek(inner, &client, &mut attempt).await,
        _ => Start::Late(Sniffer::default()),
    };
    match inner.open(&attempt).await {
        Ok(upstream) => session(inner, client, upstream, &attempt, start, begun).await,
        Err(refusal) => {
            reset(client);
            inner.refused(&attempt, &refusal, begun).await;
        }
    }
}

/// Waits for the first bytes and writes into the attempt what they show.
async fn peek<U: Upstream, O>(inner: &Inner<U, O>, client: &TcpStream, attempt: &mut Attempt) -> Start {
    let mut sniffer = Sniffer::default();
    let ticket = inner.pending.enter();
    let limit = inner.parts.limits.first_bytes;
    let first = tokio::select! {
        first = first_bytes(client, &mut sniffer, &ticket, limit) => Some(first),
        () = inner.phases.reached(Phase::Draining) => None,
    };
    match first {
        Some(First::Seen(seen)) => attempt.request.seen = seen,
        Some(First::Broken(_)) if sniffer.bytes().is_empty() => attempt.request.seen = Seen::Silent,
        Some(First::Broken(kind)) => attempt.request.seen = Seen::Unparsable(format!("broken off: {kind}")),
        // Then the place is lost.
        Some(First::Evicted) => {}
        None => attempt.denied = Some(Reason::Unavailable),
    }
    // Until they went on: meanwhile the dialler is asked, which may take it long.
    let Some(held) = ticket.hold() else {
        attempt.denied = Some(Reason::Limit);
        return Start::Late(Sniffer::default());
    };
    Start::Judged(sniffer.into_bytes(), held)
}

/// A close that the other side sees as a reset.
pub(super) fn reset(stream: TcpStream) {
    // Where the option can't be set the connection is gone already.
    let _ = stream.set_zero_linger();
}

impl<U: Upstream, O> Inner<U, O> {
    pub(super) fn attempt(&self, client: &TcpStream, original: SocketAddr, way: Way, request: Request) -> Attempt {
        // A client that is gone already has no address any more; its attempt is recorded all the same.
        let source = client.peer_addr().unwrap_or(NOWHERE);
        Attempt { id: self.next_id(), source, original, way, request, denied: None }
    }

    fn target(&self, original: SocketAddr) -> Target {
        let lease = match original.ip() {
            IpAddr::V4(v4) => self.parts.leases.name(v4),
            IpAddr::V6(_) => None,
        };
        lease.map_or(Target::Literal(original.ip()), Target::Lease)
    }

    /// Asks the dialler, whatever our own verdict is: it records. A socket for what we would deny is not used.
    pub(super) async fn open(&self, attempt: &Attempt) -> Result<OwnedFd, Refusal> {
        let asked = tokio::select! {
            asked = timeout(self.parts.limits.open, self.parts.upstream.open(attempt.clone())) => asked,
            () = self.phases.reached(Phase::Cut) => return Err(Refusal::unavailable(CUT)),
        };
        let socket = asked.unwrap_or_else(|_| Err(Refusal::unavailable("no answer from the dialler in time")))?;
        match decide(&self.parts.rules, &question(&self.parts.rules, attempt)) {
            Verdict::Allow(_) if attempt.denied.is_none() => Ok(socket),
            _ => Err(Refusal::unavailable("the dialler opened what the gate denies")),
        }
    }

    /// Reports the outcome of an attempt that got no connection.
    pub(super) async fn refused(&self, attempt: &Attempt, refusal: &Refusal, begun: Instant) {
        let outcome = Outcome::refused(attempt.id, refusal, 0);
        let ended = if refusal.detail.as_str() == CUT { Ended::Cut } else { outcome.ended };
        self.ended(Outcome { ended, ..outcome }, begun).await;
    }

    /// Reports an outcome, with the time it took.
    pub(super) async fn ended(&self, outcome: Outcome, begun: Instant) {
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.parts.upstream.ended(Outcome { millis, ..outcome }).await;
    }
}
