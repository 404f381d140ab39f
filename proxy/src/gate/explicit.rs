//! What becomes of one connection to the explicit proxy?

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use bottle_policy::{Host, HttpHost, Reason, Request, Seen, Target, Verdict, decide};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::connection::{Admission, NOWHERE, peek, proceed};
use super::first::PIECE;
use super::phase::Phase;
use super::reply::{ESTABLISHED, Reply};
use super::requests::Single;
use super::session::{Start, session};
use super::{Inner, OriginalDst, Upstream};
use crate::http::{Form, Head, Requests, Step, for_origin};
use crate::promise::question;
use crate::relay::{read_some, write_all};
use crate::sniff::Sniffer;
use crate::{Attempt, Way};

/// The gate's own name on the explicit proxy.
const OWN_NAME: &str = "_egress.local";
const CHALLENGE: &str = "/challenge/";
const HTTP_PORT: u16 = 80;

/// A head and what came after it, or why there is none.
struct Asked {
    bytes: Vec<u8>,
    head: Result<(Head, usize), String>,
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
        Admission::Denied => {
            Asked { bytes: Vec::new(), head: Err("too many connections".to_owned()), denied: Some(Reason::Limit) }
        }
    };
    let Asked { bytes, head, denied } = asked;
    let place = client.local_addr().unwrap_or(NOWHERE);
    match head {
        Ok((head, _)) if is_own(&head) => {
            inner.answered.fetch_add(1, Ordering::Relaxed);
            own(inner, &head).send(client).await;
        }
        Ok((head, end)) => match head.form.clone() {
            Form::Authority => connect(inner, client, place, head, &bytes[end..], begun).await,
            Form::Absolute(path) => {
                let single = Single {
                    head: for_origin(&bytes[..end], &head, &path),
                    body: head.body,
                    rest: bytes[end..].to_vec(),
                };
                plain(inner, client, place, head, single, begun).await;
            }
            Form::Origin(_) | Form::Asterisk => {
                bad(inner, client, place, "not a request to a proxy".to_owned(), None, begun).await
            }
        },
        Err(why) => bad(inner, client, place, why, denied, begun).await,
    }
}

async fn ask<U, O>(inner: &Inner<U, O>, client: &TcpStream) -> Asked {
    let ticket = inner.pending.enter();
    let deadline = Instant::now() + inner.parts.limits.first_bytes;
    let mut requests = Requests::default();
    let mut bytes = Vec::new();
    let failed = |bytes, why: &str, denied| Asked { bytes, head: Err(why.to_owned()), denied };
    loop {
        let read = tokio::select! {
            read = read_some(client, &mut bytes, PIECE) => read,
            () = sleep_until(deadline) => return failed(bytes, "no complete request in time", None),
            () = ticket.evicted() => return failed(bytes, "too many connections are pending", Some(Reason::Limit)),
            () = inner.phases.reached(Phase::Draining) => return failed(bytes, "the gate closes", Some(Reason::Unavailable)),
        };
        match read {
            Ok(count @ 1..) => ticket.grow(count),
            Ok(0) | Err(_) => return failed(bytes, "closed before a request", None),
        }
        match requests.step(&bytes) {
            Ok(Step::NeedMore) => {}
            Ok(Step::Head(end)) => {
                let head = Head::parse(&bytes[..end]).map(|head| (head, end)).map_err(|error| error.to_string());
                return Asked { bytes, head, denied: None };
            }
            Ok(Step::Wrong(what)) => return failed(bytes, what, None),
            Ok(Step::Body(_)) | Err(_) => return failed(bytes, "not a request", None),
        }
    }
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
    head: Head,
    rest: &[u8],
    begun: Instant,
) {
    let Some((target, port)) = target(&head) else {
        return bad(inner, client, place, "a CONNECT without a host".to_owned(), None, begun).await;
    };
    let request = Request { target, port, seen: Seen::Nothing };
    let mut attempt = inner.attempt(&client, place, Way::Connect, request);
    let mut sniffer = Sniffer::default();
    sniffer.push(rest);
    if decide(&inner.parts.rules, &question(&inner.parts.rules, &attempt)) != Verdict::Peek {
        let start = Start::Late(sniffer);
        return answer(inner, client, attempt, start, Some(ESTABLISHED), begun).await;
    }
    // No promise would do: the tunnel must show what it carries before the upstream is asked for.
    if write_all(&client, ESTABLISHED, &Default::default()).await.is_err() {
        attempt.request.seen = Seen::Unparsable("broken off".to_owned());
    }
    let start = peek(inner, &client, &mut attempt, sniffer).await;
    proceed(inner, client, attempt, start, begun).await;
}

async fn plain<U: Upstream, O>(
    inner: &Inner<U, O>,
    client: TcpStream,
    place: SocketAddr,
    head: Head,
    single: Single,
    begun: Instant,
) {
    let Some((target, port)) = target(&head) else {
        return bad(inner, client, place, "a request without a host".to_owned(), None, begun).await;
    };
    let attempt = inner.attempt(&client, place, Way::Http, Request { target, port, seen: head.seen() });
    answer(inner, client, attempt, Start::Single(single), None, begun).await;
}

/// Asks for the connection; says first that it is there, or why not.
async fn answer<U: Upstream, O>(
    inner: &Inner<U, O>,
    client: TcpStream,
    attempt: Attempt,
    start: Start,
    greeting: Option<&'static [u8]>,
    begun: Instant,
) {
    match inner.open(&attempt).await {
        Ok(upstream) => {
            if let Some(greeting) = greeting {
                // A client that is gone shows as such in the session.
                let _ = write_all(&client, greeting, &Default::default()).await;
            }
            session(inner, client, upstream, &attempt, start, begun).await;
        }
        Err(refusal) => {
            inner.refused(&attempt, &refusal, begun).await;
            Reply::refusal(attempt.way, &refusal).send(client).await;
        }
    }
}

/// A connection that asked for nothing that could be opened is an attempt too, at the proxy itself.
async fn bad<U: Upstream, O>(
    inner: &Inner<U, O>,
    client: TcpStream,
    place: SocketAddr,
    why: String,
    denied: Option<Reason>,
    begun: Instant,
) {
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
