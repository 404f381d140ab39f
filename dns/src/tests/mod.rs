//! Does every kind of query get the answer it should, with nothing but a book that a test wrote?

mod echo;
mod faults;
mod junk;
mod names;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use bottle_policy::Reason;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::book::Book;
use crate::{Denials, Limits, Sinkhole, Transport};

pub(crate) const GATE: Ipv4Addr = Ipv4Addr::new(28, 0, 0, 1);
pub(crate) const LEASE: Ipv4Addr = Ipv4Addr::new(28, 1, 2, 3);

/// Allows `api.example.com`, the longest name below `example.com`, and `full.example.com`, for which there is no address.
struct Scripted;

impl Book for Scripted {
    fn judge(&self, name: &str) -> Result<(), Reason> {
        let allowed = ["api.example.com", "full.example.com"].contains(&name) || name == longest("example.com");
        allowed.then_some(()).ok_or(Reason::NoRule)
    }

    fn address(&self, name: &str) -> Result<Ipv4Addr, Reason> {
        self.judge(name)?;
        if name.starts_with("full") { Err(Reason::Limit) } else { Ok(LEASE) }
    }

    fn name(&self, address: Ipv4Addr) -> Option<String> {
        (address == LEASE).then(|| "api.example.com".to_owned())
    }
}

/// Keeps every report.
#[derive(Default)]
pub(crate) struct Reports(Mutex<Vec<(String, String, Reason)>>);

impl Denials for Reports {
    fn denied(&self, name: &str, qtype: &str, reason: Reason) {
        self.0.lock().unwrap().push((name.to_owned(), qtype.to_owned(), reason));
    }
}

/// A sinkhole with a scripted book, and what it reported.
pub(crate) struct Bench {
    pub(crate) sinkhole: Sinkhole,
    reports: Arc<Reports>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let reports = Arc::new(Reports::default());
        let sinkhole = Sinkhole::on(Box::new(Scripted), Limits::default(), reports.clone()).with_gate(GATE);
        Self { sinkhole, reports }
    }

    pub(crate) fn bytes(&self, query: &[u8]) -> Option<Vec<u8>> {
        self.sinkhole.answer(query, Transport::Udp)
    }

    pub(crate) fn ask(&self, query: &Message) -> Message {
        let answer = self.bytes(&query.to_vec().unwrap()).expect("an answer");
        Message::from_vec(&answer).expect("a well-formed answer")
    }

    pub(crate) fn lookup(&self, name: &str, kind: RecordType) -> Message {
        self.ask(&query(name, kind))
    }

    pub(crate) fn reports(&self) -> Vec<(String, String, Reason)> {
        self.reports.0.lock().unwrap().clone()
    }
}

pub(crate) fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap();
    name.set_fqdn(true);
    name
}

/// A name of 253 characters, the most there can be, below `parent`.
pub(crate) fn longest(parent: &str) -> String {
    let left = 253 - parent.len() - 1;
    let label = |length| "a".repeat(length);
    [label(63), label(63), label(63), label(left - 3 * 64), parent.to_owned()].join(".")
}

pub(crate) fn query(text: &str, kind: RecordType) -> Message {
    let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name(text), kind));
    message
}

pub(crate) fn with_edns(mut query: Message, payload: u16) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(payload);
    query.set_edns(edns);
    query
}

pub(crate) fn extended_error(answer: &Message) -> Option<u16> {
    match answer.edns.as_ref()?.option(EdnsCode::Unknown(15))? {
        EdnsOption::Unknown(15, data) => Some(u16::from_be_bytes([data[0], data[1]])),
        _ => None,
    }
}

/// The SOA that bounds how long a negative answer is kept.
#[track_caller]
pub(crate) fn assert_negative(answer: &Message, code: ResponseCode) {
    assert_eq!(answer.response_code, code);
    assert!(answer.answers.is_empty());
    let [soa] = answer.authorities.as_slice() else { panic!("one SOA, not {:?}", answer.authorities) };
    let RData::SOA(data) = &soa.data else { panic!("a SOA, not {soa}") };
    assert!(soa.ttl <= 5 && data.minimum <= 5);
}
