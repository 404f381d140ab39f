//! What do gate, dialler and supervisor tell each other about one connection?

use std::net::SocketAddr;

use bottle_policy::{Reason, Request, Seen, Target};
use serde::{Deserialize, Serialize};

use crate::Detail;

/// One connection that the workload wants, as the gate describes it to the dialler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Described")]
pub struct Attempt {
    /// Counts up within one run; the outcome refers to it.
    pub id: u64,
    /// The workload's end.
    pub source: SocketAddr,
    /// Where the workload's connect() went: for an explicit proxy request, the proxy itself.
    pub original: SocketAddr,
    /// How the workload asked.
    pub way: Way,
    /// What the decision is about.
    pub request: Request,
    /// The gate's own denial, such as a limit: it can only narrow what the rules say.
    pub denied: Option<Reason>,
}

/// How the workload asked for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// It connected to the destination and was redirected.
    Transparent,
    /// CONNECT on the explicit proxy.
    Connect,
    /// A plain HTTP request in absolute form on the explicit proxy.
    Http,
}

impl Attempt {
    /// Whether the explicit proxy got no request that names a destination: its own address stands in for one.
    pub fn names_nothing(&self) -> bool {
        let own = Target::Literal(self.original.ip());
        self.way != Way::Transparent && self.request.target == own && self.request.port == self.original.port()
    }

    /// Whether the parts that describe the same thing agree. A gate in order never makes one that does not.
    pub fn is_consistent(&self) -> bool {
        let literal = match &self.request.target {
            Target::Literal(address) => Some(*address),
            _ => None,
        };
        match self.way {
            Way::Transparent => {
                self.original.port() == self.request.port
                    && literal.is_none_or(|address| address == self.original.ip())
                    && !matches!(self.request.target, Target::Named(_))
            }
            Way::Connect | Way::Http => !matches!(self.request.target, Target::Lease(_)),
        }
    }
}

/// An [`Attempt`] as it came in, before its texts were measured.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    id: u64,
    source: SocketAddr,
    original: SocketAddr,
    way: Way,
    request: Request,
    denied: Option<Reason>,
}

/// An attempt whose text is longer than [`Detail::MAX`].
#[derive(Debug, thiserror::Error)]
#[error("an attempt carries a text that is too long")]
struct Unbounded;

impl TryFrom<Described> for Attempt {
    type Error = Unbounded;

    fn try_from(described: Described) -> Result<Attempt, Unbounded> {
        let Described { id, source, original, way, request, denied } = described;
        if matches!(&request.seen, Seen::Unparsable(text) if text.len() > Detail::MAX) {
            return Err(Unbounded);
        }
        Ok(Attempt { id, source, original, way, request, denied })
    }
}

/// Why an attempt got no connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error("{}{detail}", .kind.lead())]
pub struct Refusal {
    /// What kind of no it is.
    pub kind: RefusalKind,
    /// The decision's reason, where a decision said no.
    pub reason: Option<Reason>,
    /// More for the log.
    pub detail: Detail,
}

/// The kinds of no: they differ in what the workload is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The rules, or the addresses behind the name, forbid it.
    Denied,
    /// Allowed, but nothing answers there.
    Unreachable,
    /// It could not be decided, recorded or asked: a denial.
    Unavailable,
}

impl RefusalKind {
    fn lead(self) -> &'static str {
        match self {
            RefusalKind::Denied => "denied: ",
            RefusalKind::Unreachable => "unreachable: ",
            RefusalKind::Unavailable => "unavailable: ",
        }
    }
}

impl Refusal {
    /// A denial for this reason.
    pub fn denied(reason: Reason, detail: impl std::fmt::Display) -> Refusal {
        Refusal { kind: RefusalKind::Denied, reason: Some(reason), detail: Detail::new(detail) }
    }

    /// Nothing answers.
    pub fn unreachable(detail: impl std::fmt::Display) -> Refusal {
        Refusal { kind: RefusalKind::Unreachable, reason: None, detail: Detail::new(detail) }
    }

    /// A process or the log could not be asked.
    pub fn unavailable(detail: impl std::fmt::Display) -> Refusal {
        Refusal { kind: RefusalKind::Unavailable, reason: Some(Reason::Unavailable), detail: Detail::new(detail) }
    }
}

/// How one attempt ended. Exactly one is sent for each [`Attempt`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The attempt's id.
    pub attempt: u64,
    /// How it ended.
    pub ended: Ended,
    /// Why, where there is a reason.
    pub reason: Option<Reason>,
    /// The address that was dialled, if one was.
    pub upstream: Option<SocketAddr>,
    /// Bytes from the workload to the upstream.
    pub bytes_up: u64,
    /// Bytes from the upstream to the workload.
    pub bytes_down: u64,
    /// From accept to end.
    pub millis: u64,
    /// More for the log.
    pub detail: Detail,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Both sides finished, or the idle limit ended it in good order.
    Closed,
    /// Denied, before or after the dial.
    Refused,
    /// Nothing answered.
    Unreachable,
    /// Cut by drift, the kill switch or the end of the run.
    Cut,
    /// One side broke off.
    Reset,
}

impl Outcome {
    /// The outcome of an attempt that never had an upstream.
    pub fn refused(attempt: u64, refusal: &Refusal, millis: u64) -> Outcome {
        let ended = match refusal.kind {
            RefusalKind::Unreachable => Ended::Unreachable,
            RefusalKind::Denied | RefusalKind::Unavailable => Ended::Refused,
        };
        let (reason, detail) = (refusal.reason, refusal.detail.clone());
        Outcome { attempt, ended, reason, upstream: None, bytes_up: 0, bytes_down: 0, millis, detail }
    }
}
