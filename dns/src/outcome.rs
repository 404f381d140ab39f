//! What is the answer to a question, before it is bytes?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bottle_policy::Reason;
use hickory_proto::rr::{DNSClass, Name, RecordType};

use crate::asked::{Asked, GATE_NAME, LOOPBACK, service_host};
use crate::book::Book;

/// The answer to a well-formed question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The name stands for this address.
    Address(IpAddr),
    /// The address stands for this name.
    Pointer(String),
    /// The name exists, and has nothing of this type.
    NoData,
    /// The name is not for the workload: the escaped name, and why.
    Denied(String, Reason),
    /// The name is allowed, and there is no address left for it.
    Full(String),
    /// Not a question for a resolver's client: a zone transfer, or a class other than IN.
    Refused,
    /// A type that no question has.
    Malformed,
}

/// Answers one question from `book` alone.
pub(crate) fn outcome(
    book: &dyn Book,
    gate: Option<Ipv4Addr>,
    name: &Name,
    class: DNSClass,
    kind: RecordType,
) -> Outcome {
    match u16::from(kind) {
        // AXFR, IXFR
        251 | 252 => return Outcome::Refused,
        // OPT, TKEY, TSIG, MAILB, MAILA: not types of data
        41 | 249 | 250 | 253 | 254 => return Outcome::Malformed,
        _ if class != DNSClass::IN => return Outcome::Refused,
        _ => {}
    }
    match (Asked::of(name), gate) {
        (Asked::Root, _) => Outcome::NoData,
        (Asked::Localhost, _) => localhost(kind),
        (Asked::Gate, Some(gate)) if kind == RecordType::A => Outcome::Address(gate.into()),
        (Asked::Gate, Some(_)) => Outcome::NoData,
        (Asked::Gate, None) => Outcome::Denied(GATE_NAME.into(), Reason::NoRule),
        (Asked::Reverse(address, text), _) => reverse(book, gate, address, text, kind),
        (Asked::Host(name), _) => host(book, name, kind),
        (Asked::Odd(name), _) => Outcome::Denied(name, Reason::NoRule),
    }
}

fn host(book: &dyn Book, name: String, kind: RecordType) -> Outcome {
    let verdict = if kind == RecordType::A { book.address(&name).map(Some) } else { book.judge(&name).map(|()| None) };
    match verdict {
        Ok(Some(address)) => Outcome::Address(address.into()),
        Ok(None) => Outcome::NoData,
        Err(Reason::Limit) => Outcome::Full(name),
        // `_https._tcp.x` is a question about x: it has no such service record, which denies nobody anything.
        Err(_) if service_host(&name).is_some_and(|host| book.judge(host).is_ok()) => Outcome::NoData,
        Err(reason) => Outcome::Denied(name, reason),
    }
}

fn localhost(kind: RecordType) -> Outcome {
    match kind {
        RecordType::A => Outcome::Address(LOOPBACK.into()),
        RecordType::AAAA => Outcome::Address(Ipv6Addr::LOCALHOST.into()),
        _ => Outcome::NoData,
    }
}

fn reverse(book: &dyn Book, gate: Option<Ipv4Addr>, address: IpAddr, text: String, kind: RecordType) -> Outcome {
    let name = match address {
        _ if address.is_loopback() => Some("localhost".to_owned()),
        IpAddr::V4(address) if Some(address) == gate => Some(GATE_NAME.to_owned()),
        IpAddr::V4(address) => book.name(address),
        IpAddr::V6(_) => None,
    };
    match name {
        Some(name) if kind == RecordType::PTR => Outcome::Pointer(name),
        Some(_) => Outcome::NoData,
        None => Outcome::Denied(text, Reason::NoRule),
    }
}
