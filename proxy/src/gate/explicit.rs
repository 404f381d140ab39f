//! What becomes of one connection to the explicit proxy?

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use bottle_policy::{Host, HttpHost, Reason, Request, Seen, Target};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::connection::{Admission, NOWHERE};
use super::first::PIECE;
use super::pending::Held;
use super::phase::Phase;
use super::reply::{ESTABLISHED, Reply};
use super::requests::Single;
use super::session::{Start, session};
use super::{Inner, OriginalDst, Upstream};
use crate::http::{Form, Head, Requests, Step, for_origin};
use crate::relay::{read_some, write_all};
use crate::sniff::Sniffer;
use crate::{Attempt, Refusal, Way};

/// The gate's own name on the explicit proxy.
const OWN_NAME: &str = "_egress.local";
const CHALLENGE: &str = "/challenge/";
const HTTP_PORT: u16 = 80;

/// A head, what came after it, and what counts both.
struct Asked {
    head: Head,
    /// As it was written.
    written: Vec<u8>,
    rest: Vec<u8>,
    held: Held,
}

/// Why there is no head.
struct NotAsked {
    why: String,
    denied: Option<Reason>,
}

/// From accept to the end. Requests to the gate's own name are answered here; every other way asks the dialler once.
pub(super) async fn explicit<U: Upstream, O: OriginalDst>(
    inner: &Inner<U, O>,
    client: TcpStream,
    admission: Admission,
) {
    let begun = Instant::now();
    let asked = match admission {
        Admission::Regular => ask(inner, &client).await,
        Admission::Denied => Err(not_asked("too many connections", Some(Reason::Limit))),
    };
    let place = client.local_addr().unwrap_or(NOWHERE);
    match asked {
        Ok(asked) if is_own(&asked.head) => {
            inner.answered.fetch_add(1, Ordering::Relaxed);
            own(inner, &asked.head).send(client).await;
        }
        Ok(asked) => match asked.head.form.clone() {
            Form::Authority => connect(inner, client, place, asked, begun).await,
            Form::Absolute(path) => plain(inner, client, place, asked, &path, begun).await,
            Form::Origin(_) | Form::Asterisk => {
                bad(inner, client, place, not_asked("not a request to a proxy", None), begun).await
            }
        },
        Err(why) => bad(inner, client, place, why, begun).await,
    }
}

async fn ask<U, O>(inner: &Inner<U, O>, client: &TcpStream) -> Result<Asked, NotAsked> {
    let ticket = inner.pending.enter();
    let deadline = Instant::now() + inner.parts.limits.first_bytes;
    let mut requests = Requests::default();
    let mut bytes = Vec::new();
    let evicted = || not_asked("too many connections are pending", Some(Reason::Limit));
    loop {
        let read = tokio::select! {
            read = read_some(client, &mut bytes, PIECE) => read,
            () = sleep_until(deadline) => return Err(not_asked("no complete request in time", None)),
            () = ticket.evicted() => return Err(evicted()),
            () = inner.phases.reached(Phase::Draining) => {
                return Err(not_asked("the gate closes", Some(Reason::Unavailable)));
            }
        };
        match read {
            Ok(count @ 1..) => ticket.grow(count),
            Ok(0) | Err(_) => return Err(not_asked("closed before a request", None)),
        }
        match requests.step(&bytes) {
            Ok(Step::NeedMore) => {}
            Ok(Step::Head(end)) => {
                let head = Head::parse(&bytes[..end]).map_err(|error| not_asked(error, None))?;
                let held = ticket.hold().ok_or_else(evicted)?;
                let rest = bytes.split_off(end);
                return Ok(Asked { head, written: bytes, rest, held });
            }
            Ok(Step::Wrong(what)) => return Err(not_asked(what, None)),
            Ok(Step::Body(_)) | Err(_) => return Err(not_asked("not a request", None)),
        }
    }
}

fn not_asked(why: impl ToString, denied: Option<Reason>) -> NotAsked {
    NotAsked { why: why.to_string(), denied }
}

fn is_own(head: &Head) -> bool {
    matches!(&head.host, HttpHost::Name(name) if name.as_str() == OWN_NAME) && head.form != Form::Authority
}

fn own<U, O>(inner: &Inner<U, O>, head: &Head) -> Reply {
    let (Form::Absolute(path) | Form::Origin(path)) = &head.form else {
        return Reply::new("404 Not Found", "");
    };
    match path.strip_prefix(CHALLENGE).and_then(|challenge| inner.parts.challenge.answer(challenge)) {
        Some(answer) if head.method == "GET" => Reply::new("200 OK", answer),
        _ => Reply::new("404 Not Found", ""),
    }
}

async fn connect<U: Upstream, O>(
    inner: &Inner<U, O>,
    client: TcpStream,
    place: SocketAddr,
    asked: Asked,
    begun: Instant,
) {
    let Asked { head, written, rest, held } = asked;
    drop(written);
    let Some((target, port)) = target(&head) else {
        return bad(inner, client, place, not_asked("a CONNECT without a host", None), begun).await;
    };
    let attempt = inner.attempt(&client, place, Way::Connect, Request { target, port, seen: Seen::Nothing });
    let mut sniffer = Sniffer::default();
    sniffer.push(&rest);
    drop(rest);
    match inner.open(&attempt).await {
        Ok(upstream) => {
            drop(held);
            // A client that is gone shows as such in the session.
            let _ = write_all(&client, ESTABLISHED, &Default::default()).await;
            session(inner, client, upstream, &attempt, Start::Late(sniffer), begun).await;
        }
        Err(refusal) => refuse(inner, client, &attempt, &refusal, begun).await,
    }
}

async fn plain<U: Upstream, O>(
    inner: &Inner<U, O>,
    client: TcpStream,
    place: SocketAddr,
    asked: Asked,
    path: &str,
    begun: Instant,
) {
    let Asked { head, written, rest, held } = asked;
    let single = Single { head: for_origin(&written, &head, path), body: head.body, rest, held };
    drop(written);
    let Some((target, port)) = target(&head) else {
        return bad(inner, client, place, not_asked("a request without a host", None), begun).await;
    };
    let attempt = inner.attempt(&client, place, Way::Http, Request { target, port, seen: head.seen() });
    match inner.open(&attempt).await {
        Ok(upstream) => session(inner, client, upstream, &attempt, Start::Single(single), begun).await,
        Err(refusal) => refuse(inner, client, &attempt, &refusal, begun).await,
    }
}

/// Says why there is no connection.
async fn refuse<U: Upstream, O>(
    inner: &Inner<U, O>,
    client: TcpStream,
    attempt: &Attempt,
    refusal: &Refusal,
    begun: Instant,
) {
    inner.refused(attempt, refusal, begun).await;
    Reply::refusal(attempt.way, refusal).send(client).await;
}

/// A connection that asked for nothing that could be opened is an attempt too, at the proxy itself.
async fn bad<U: Upstream, O>(
    inner: &Inner<U, O>,
    client: TcpStream,
    place: SocketAddr,
    not_asked: NotAsked,
    begun: Instant,
) {
    let NotAsked { why, denied } = not_asked;
    let reply = Reply::new("400 Bad Request", format!("bottle: {why}\n"));
    let request = Request { target: Target::Literal(place.ip()), port: place.port(), seen: Seen::Unparsable(why) };
    let mut attempt = inner.attempt(&client, place, Way::Http, request);
    attempt.denied = denied.or(Some(Reason::Unparsable));
    if let Err(refusal) = inner.open(&attempt).await {
        inner.refused(&attempt, &refusal, begun).await;
    }
    reply.send(client).await;
}

fn target(head: &Head) -> Option<(Target, u16)> {
    let host = match head.host.clone() {
        HttpHost::Name(name) => Host::Name(name),
        HttpHost::Address(address) => Host::Address(address),
        HttpHost::Absent => return None,
    };
    Some((host.into_target(), head.port.unwrap_or(HTTP_PORT)))
}
