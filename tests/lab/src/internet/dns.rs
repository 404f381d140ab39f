//! What does the lab's DNS answer to these bytes? Pure but for the zone's sequences, which move on.

use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::answer::{Answer, Zone};

/// What was asked, and what is answered to it.
pub(super) struct Reply {
    /// Name, lower case and without the last dot, and type.
    pub(super) question: (String, String),
    /// The answer's bytes; none where silence is the answer.
    pub(super) bytes: Option<Vec<u8>>,
}

/// How a query came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Datagram,
    Stream,
}

/// Address records of 16 bytes each that fit into 64 KiB beside a question.
const HUGE: usize = 4_000;

/// Answers one query; nothing if it is none.
pub(super) fn reply(query: &[u8], zone: &mut Zone, way: Way) -> Option<Reply> {
    let query = Message::from_vec(query).ok()?;
    let asked = query.queries.first().filter(|_| query.metadata.message_type == MessageType::Query)?;
    let name = asked.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let question = (name.clone(), asked.query_type().to_string());
    let mut answer = Message::response(query.metadata.id, OpCode::Query);
    answer.metadata.authoritative = true;
    answer.metadata.recursion_desired = query.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.add_query(asked.clone());
    let filled = fill(&mut answer, asked, zone, &name);
    if way == Way::Datagram && answer.answers.len() == HUGE {
        answer.answers.clear();
        answer.metadata.truncation = true;
    }
    let bytes = filled.then(|| answer.to_vec().ok()).flatten();
    Some(Reply { question, bytes })
}

/// Fills in what the zone says; false where it says nothing at all.
fn fill(answer: &mut Message, asked: &Query, zone: &mut Zone, name: &str) -> bool {
    let is_address = matches!(asked.query_type(), RecordType::A | RecordType::AAAA);
    let said = if is_address { zone.ask(name) } else { zone.find(name) };
    match said {
        Answer::Addresses(addresses, ttl) => records(answer, asked.name(), asked.query_type(), &addresses, ttl),
        Answer::Sequence(_) => {}
        Answer::Alias(target) => alias(answer, asked, zone, &target),
        Answer::Text(text) if asked.query_type() == RecordType::TXT => {
            answer.add_answer(Record::from_rdata(asked.name().clone(), 60, RData::TXT(TXT::new(vec![text]))));
        }
        Answer::Text(_) => {}
        Answer::Missing => answer.metadata.response_code = ResponseCode::NXDomain,
        Answer::Failure => answer.metadata.response_code = ResponseCode::ServFail,
        Answer::Silence => return false,
        Answer::Foreign(addresses) => {
            if let Some(question) = answer.queries.first_mut().filter(|_| is_address) {
                let other = Name::from_ascii("other.lab.example.").unwrap_or_default();
                question.set_name(other.clone());
                records(answer, &other, asked.query_type(), &addresses, 60);
            }
        }
        Answer::Forged(addresses) => {
            answer.metadata.id = answer.metadata.id.wrapping_add(1);
            records(answer, asked.name(), asked.query_type(), &addresses, 60);
        }
        Answer::Huge(address) => {
            records(answer, asked.name(), asked.query_type(), &vec![address.into(); HUGE], 60);
        }
    }
    true
}

fn alias(answer: &mut Message, asked: &Query, zone: &mut Zone, target: &str) {
    let Ok(target) = Name::from_ascii(format!("{target}.")) else {
        return;
    };
    answer.add_answer(Record::from_rdata(asked.name().clone(), 60, RData::CNAME(CNAME(target.clone()))));
    if let Answer::Addresses(addresses, ttl) = zone.find(&target.to_ascii()) {
        records(answer, &target, asked.query_type(), &addresses, ttl);
    }
}

fn records(answer: &mut Message, name: &Name, kind: RecordType, addresses: &[IpAddr], ttl: u32) {
    for address in addresses {
        let data = match (address, kind) {
            (IpAddr::V4(address), RecordType::A) => RData::A(A(*address)),
            (IpAddr::V6(address), RecordType::AAAA) => RData::AAAA(AAAA(*address)),
            _ => continue,
        };
        answer.add_answer(Record::from_rdata(name.clone(), ttl, data));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, kind: RecordType) -> Reply {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        reply(&query.to_vec().unwrap(), &mut Zone::default(), Way::Datagram).unwrap()
    }

    fn answers(name: &str, kind: RecordType) -> (ResponseCode, usize) {
        let message = Message::from_vec(&ask(name, kind).bytes.unwrap()).unwrap();
        (message.metadata.response_code, message.answers.len())
    }

    #[test]
    fn each_family_is_answered_with_its_own_addresses() {
        assert_eq!(answers("Web.Lab.Example.", RecordType::A), (ResponseCode::NoError, 1));
        assert_eq!(answers("v4only.lab.example.", RecordType::AAAA), (ResponseCode::NoError, 0));
        assert_eq!(answers("alias.lab.example.", RecordType::AAAA), (ResponseCode::NoError, 2));
        assert_eq!(answers("mixed.lab.example.", RecordType::A), (ResponseCode::NoError, 2));
    }

    #[test]
    fn failures_are_of_the_kind_that_the_zone_says() {
        assert_eq!(answers("nowhere.test.", RecordType::A), (ResponseCode::NXDomain, 0));
        assert_eq!(answers("failure.lab.example.", RecordType::A), (ResponseCode::ServFail, 0));
        assert!(ask("silence.lab.example.", RecordType::A).bytes.is_none());
    }

    #[test]
    fn what_is_no_query_is_not_answered() {
        assert!(reply(b"nonsense", &mut Zone::default(), Way::Datagram).is_none());
    }
}
