//! How does a connection run once the dialler has handed over its other half?

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use bottle_policy::{Reason, Request, Rules, Seen, Verdict, decide};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::connection::reset;
use super::first::{First, PIECE, first_bytes};
use super::pending::Held;
use super::phase::Phase;
use super::requests::{Single, Switch, each_request, one_request, watched};
use super::{Inner, Upstream};
use crate::relay::{End, Flow, Stop, Traffic, join, read_some};
use crate::sniff::{Sniffed, Sniffer};
use crate::{Attempt, Detail, Ended, Outcome, Refusal};

/// What the client has already sent.
#[derive(Debug)]
pub(super) enum Start {
    /// Bytes that were classified and decided upon.
    Judged(Vec<u8>, Held),
    /// Perhaps nothing yet: what comes first is classified and decided upon before it goes on.
    Late(Sniffer),
    /// The one plain request that was judged.
    Single(Single),
}

/// Relays to the end and reports the outcome.
pub(super) async fn session<U: Upstream, O>(
    inner: &Inner<U, O>,
    client: TcpStream,
    upstream: OwnedFd,
    attempt: &Attempt,
    start: Start,
    begun: Instant,
) {
    let upstream = match TcpStream::from_std(upstream.into()) {
        Ok(upstream) => upstream,
        Err(error) => {
            reset(client);
            let refusal = Refusal::unavailable(format_args!("the socket from the dialler: {error}"));
            return inner.ended(Outcome::refused(attempt.id, &refusal, 0), begun).await;
        }
    };
    let address = upstream.peer_addr().ok();
    // Without it a client would only be slower.
    let _ = client.set_nodelay(true);
    let traffic = Traffic::default();
    let end = tokio::select! {
        end = Box::pin(run(inner, &client, &upstream, attempt, start, &traffic)) => Some(end),
        () = inner.phases.reached(Phase::Cut) => None,
    };
    let (ended, reason, detail) = describe(end);
    if ended != Ended::Closed {
        reset(upstream);
        reset(client);
    } else {
        drop((upstream, client));
    }
    let (bytes_up, bytes_down) = (traffic.up.load(Ordering::Relaxed), traffic.down.load(Ordering::Relaxed));
    let outcome =
        Outcome { attempt: attempt.id, ended, reason, upstream: address, bytes_up, bytes_down, millis: 0, detail };
    inner.ended(outcome, begun).await;
}

fn describe(end: Option<End>) -> (Ended, Option<Reason>, Detail) {
    match end {
        Some(End::Closed) => (Ended::Closed, None, Detail::default()),
        Some(End::Idle) => (Ended::Closed, None, Detail::new("idle")),
        Some(End::Reset) => (Ended::Reset, None, Detail::default()),
        Some(End::Denied(refusal)) => (Ended::Refused, refusal.reason, refusal.detail),
        None => (Ended::Cut, None, Detail::default()),
    }
}

async fn run<U, O>(
    inner: &Inner<U, O>,
    client: &TcpStream,
    upstream: &TcpStream,
    attempt: &Attempt,
    start: Start,
    traffic: &Traffic,
) -> End {
    let up = Flow { from: client, to: upstream, count: &traffic.up, pipes: &inner.pipes };
    let down = Flow { from: upstream, to: client, count: &traffic.down, pipes: &inner.pipes };
    let judge = Judge::new(&inner.parts.rules, &attempt.request);
    let switch = Switch::default();
    let upward = async {
        let (seen, bytes, held) = match start {
            Start::Single(single) => return one_request(up, single).await,
            Start::Judged(bytes, held) => (attempt.request.seen.clone(), bytes, Some(held)),
            Start::Late(sniffer) => match late(inner, up, &judge, sniffer).await? {
                Some((seen, bytes)) => (seen, bytes, None),
                None => return up.finish(),
            },
        };
        if judge.every_request && matches!(seen, Seen::Http { .. }) {
            drop(held);
            return each_request(up, &judge, &switch, bytes, &inner.pending, inner.parts.limits.first_bytes).await;
        }
        switch.stay();
        up.send(&bytes).await?;
        drop((bytes, held));
        up.copy().await
    };
    join(upward, watched(down, &switch), traffic, inner.parts.limits.idle).await
}

/// The first bytes of a connection that was allowed without them, decided upon. Nothing where there are none.
async fn late<U, O>(
    inner: &Inner<U, O>,
    up: Flow<'_>,
    judge: &Judge<'_>,
    mut sniffer: Sniffer,
) -> Result<Option<(Seen, Vec<u8>)>, Stop> {
    let mut piece = Vec::new();
    // A server may speak first for as long as it likes: until then nothing is pending and no clock runs.
    if sniffer.bytes().is_empty() && read_some(up.from, &mut piece, PIECE).await.map_err(Stop::Source)? == 0 {
        return Ok(None);
    }
    let mut known = sniffer.push(&piece);
    if known == Sniffed::NeedMore {
        let ticket = inner.pending.enter();
        ticket.grow(sniffer.bytes().len());
        known = match first_bytes(up.from, &mut sniffer, &ticket, inner.parts.limits.first_bytes).await {
            First::Seen(seen) => Sniffed::Seen(seen),
            First::Broken(kind) => return Err(Stop::Source(kind.into())),
            First::Evicted => {
                return Err(Stop::Denied(Refusal::denied(Reason::Limit, "too many first bytes are pending")));
            }
        };
    }
    let Sniffed::Seen(seen) = known else {
        return Ok(None);
    };
    judge.allows(&seen)?;
    Ok(Some((seen, sniffer.into_bytes())))
}

/// Decides again, with what later bytes show.
pub(super) struct Judge<'a> {
    rules: &'a Rules,
    request: &'a Request,
    /// Whether the rule wants every plain request judged, not only the first bytes.
    every_request: bool,
}

impl<'a> Judge<'a> {
    fn new(rules: &'a Rules, request: &'a Request) -> Judge<'a> {
        let unseen = Request { seen: Seen::Nothing, ..request.clone() };
        Judge { rules, request, every_request: decide(rules, &unseen) == Verdict::Peek }
    }

    /// Whether bytes that show this may go on.
    pub(super) fn allows(&self, seen: &Seen) -> Result<(), Stop> {
        let asked = Request { seen: seen.clone(), ..self.request.clone() };
        let reason = match decide(self.rules, &asked) {
            Verdict::Allow(_) => return Ok(()),
            Verdict::Deny(reason) => reason,
            Verdict::Escalate(_) => Reason::Escalation,
            Verdict::Peek => Reason::Unparsable,
        };
        let detail = match seen {
            Seen::Unparsable(why) => why.clone(),
            Seen::Tls { sni: Some(name), .. } => format!("TLS for {name}"),
            Seen::Http { host: bottle_policy::HttpHost::Name(name), .. } => format!("HTTP for {name}"),
            _ => String::new(),
        };
        Err(Stop::Denied(Refusal::denied(reason, detail)))
    }
}
