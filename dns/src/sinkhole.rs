//! Which bytes answer which bytes?

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bottle_policy::Reason;
use bottle_policy::lease::Leases;
use bottle_policy::rules::Rules;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Record, RecordType};

use crate::asked::spelled;
use crate::book::{Book, PolicyBook};
use crate::outcome::{Outcome, outcome};
use crate::request::{Question, Request, parse};
use crate::response::{self, Extended, Response};
use crate::sys::Batch;
use crate::{Denials, Limits, Transport};

const OTHER: u16 = 0;
const BLOCKED: u16 = 15;
const NOT_SUPPORTED: u16 = 21;

/// What stands for a name, and for a type, that could not be read.
const UNREADABLE: &str = "(unreadable)";
const UNKNOWN: &str = "unknown";

/// Answers DNS queries from the policy and the leases. It asks nobody else.
pub struct Sinkhole {
    book: Box<dyn Book>,
    gate: Option<Ipv4Addr>,
    limits: Limits,
    denials: Arc<dyn Denials>,
    authority: Record,
    spare: Mutex<Vec<Batch>>,
    answered: AtomicU64,
}

impl Sinkhole {
    /// A sinkhole that hands out `leases` for what `rules` could allow, and reports the rest to `denials`.
    pub fn new(rules: Arc<Rules>, leases: Arc<Leases>, limits: Limits, denials: Arc<dyn Denials>) -> Self {
        Self::on(Box::new(PolicyBook { rules, leases }), limits, denials)
    }

    pub(crate) fn on(book: Box<dyn Book>, limits: Limits, denials: Arc<dyn Denials>) -> Self {
        Self {
            book,
            gate: None,
            limits,
            denials,
            authority: response::authority(),
            spare: Mutex::default(),
            answered: AtomicU64::new(0),
        }
    }

    /// Also answers `_egress.local` with `gate`. Without it that name is denied like any other.
    #[must_use]
    pub fn with_gate(mut self, gate: Ipv4Addr) -> Self {
        self.gate = Some(gate);
        self
    }

    /// What bounds this sinkhole.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many TCP connections it has accepted.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn accepted(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Room for datagrams, to be given back with [`done_with`](Self::done_with): sockets that are silent hold none.
    pub(crate) fn room(&self) -> Batch {
        self.spare().pop().unwrap_or_else(|| Batch::new(self.limits.query))
    }

    pub(crate) fn done_with(&self, batch: Batch) {
        self.spare().push(batch);
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Batch>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to `query`, or none for what gets silence: fewer bytes than a header, or an answer.
    pub fn answer(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(512);
        self.answer_into(query, transport, &mut out).then_some(out)
    }

    /// [`answer`](Self::answer) into a buffer that is used again. Returns whether there is an answer.
    pub fn answer_into(&self, query: &[u8], transport: Transport, out: &mut Vec<u8>) -> bool {
        let Some((request, read)) = parse(query, self.limits.query) else {
            self.unreadable();
            return false;
        };
        let content = match (&request.question, read) {
            (Some(question), Ok(())) => self.content(question),
            (question, read) => {
                question.as_ref().map_or_else(|| self.unreadable(), |question| self.unanswerable(question));
                Content::code(read.err().unwrap_or(ResponseCode::FormErr))
            }
        };
        self.write(&request, transport, content, out)
    }

    /// Reports bytes in which not even a name was found.
    pub(crate) fn unreadable(&self) {
        self.denials.denied(UNREADABLE, UNKNOWN, Reason::Unparsable);
    }

    /// Reports a query that gets no answer whatever its name: it could carry anything all the same.
    fn unanswerable(&self, Question { query, .. }: &Question<'_>) {
        self.denials.denied(&spelled(query.name()), &type_name(query.query_type()), Reason::Unparsable);
    }

    fn content(&self, question: &Question<'_>) -> Content<'_> {
        let query = &question.query;
        let (name, kind) = (query.name(), query.query_type());
        match outcome(self.book.as_ref(), self.gate, name, query.query_class(), kind) {
            Outcome::Address(address) => Content::record(response::address(name, address)),
            Outcome::Pointer(target) => {
                response::pointer(name, &target).map_or_else(|| self.nothing(), Content::record)
            }
            Outcome::NoData => self.nothing(),
            Outcome::Denied(name, reason) => {
                self.denials.denied(&name, &type_name(kind), reason);
                let extended = Extended { code: BLOCKED, text: reason.sentence() };
                Content { code: ResponseCode::NXDomain, extended: Some(extended), ..self.nothing() }
            }
            Outcome::Full(name) => {
                self.denials.denied(&name, &type_name(kind), Reason::Limit);
                let extended = Extended { code: OTHER, text: "this sandbox has no address left for another name" };
                Content { extended: Some(extended), ..Content::code(ResponseCode::ServFail) }
            }
            Outcome::Refused => {
                self.unanswerable(question);
                let extended =
                    Extended { code: NOT_SUPPORTED, text: "only questions of class IN, and no zone transfers" };
                Content { extended: Some(extended), ..Content::code(ResponseCode::Refused) }
            }
            Outcome::Malformed => {
                self.unanswerable(question);
                Content::code(ResponseCode::FormErr)
            }
        }
    }

    fn nothing(&self) -> Content<'_> {
        Content { authority: Some(&self.authority), ..Content::code(ResponseCode::NoError) }
    }

    fn write(&self, request: &Request<'_>, transport: Transport, content: Content<'_>, out: &mut Vec<u8>) -> bool {
        let Content { code, answer, authority, extended } = content;
        let room = match (transport, &request.edns) {
            (Transport::Tcp, _) => u16::MAX,
            (Transport::Udp, None) => 512,
            (Transport::Udp, Some(edns)) => edns.max_payload().clamp(512, self.limits.udp_payload.max(512)),
        };
        Response { request, code, answer, authority, extended }.write(room, self.limits.udp_payload, out)
    }
}

/// What an answer says beyond the question.
struct Content<'s> {
    code: ResponseCode,
    answer: Option<Record>,
    authority: Option<&'s Record>,
    extended: Option<Extended>,
}

impl Content<'_> {
    fn code(code: ResponseCode) -> Self {
        Self { code, answer: None, authority: None, extended: None }
    }

    fn record(record: Record) -> Self {
        Self { answer: Some(record), ..Self::code(ResponseCode::NoError) }
    }
}

/// The type's mnemonic, or `TYPE` and its number (RFC 3597).
fn type_name(kind: RecordType) -> String {
    match kind {
        RecordType::Unknown(number) => format!("TYPE{number}"),
        kind => kind.to_string(),
    }
}
