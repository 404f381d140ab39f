//! What of the query comes back in its answer, and what must not?

use hickory_proto::op::{MessageType, OpCode, ResponseCode};
use hickory_proto::rr::RecordType::A;

use super::{Bench, extended_error, longest, query, with_edns};
use crate::{Limits, Transport};

#[test]
fn id_and_question_come_back_byte_for_byte() {
    let bench = Bench::new();
    for asked in ["aPi.ExAmple.cOM", "eViL.example.ORG", "full.EXAMPLE.com", r"oDD\.Name.example"] {
        let mut question = query(asked, A);
        question.metadata.id = 0xbeef;
        let bytes = question.to_vec().unwrap();
        let answer = bench.bytes(&bytes).unwrap();
        assert_eq!(answer[..2], bytes[..2]);
        assert_eq!(answer[12..bytes.len()], bytes[12..]);
    }
}

#[test]
fn the_answer_has_the_case_of_the_question() {
    let bytes = query("aPi.ExAmple.cOM", A).to_vec().unwrap();
    let answer = Bench::new().bytes(&bytes).unwrap();
    assert_eq!(answer[bytes.len()..][..2], [0xc0, 12], "the owner points to the question");
}

#[test]
fn flags_are_those_of_a_resolver_that_proves_nothing() {
    let bench = Bench::new();
    for desired in [true, false] {
        let mut question = query("api.example.com", A);
        question.metadata.recursion_desired = desired;
        question.metadata.checking_disabled = desired;
        question.metadata.authentic_data = true;
        question.metadata.authoritative = true;
        question.metadata.truncation = true;
        let flags = bench.ask(&question).metadata;
        assert_eq!(flags.message_type, MessageType::Response);
        assert_eq!(flags.op_code, OpCode::Query);
        assert_eq!((flags.recursion_desired, flags.checking_disabled), (desired, desired));
        assert!(flags.recursion_available);
        assert!(!flags.authentic_data && !flags.authoritative && !flags.truncation);
    }
}

#[test]
fn the_reserved_bit_is_zero() {
    let mut bytes = query("api.example.com", A).to_vec().unwrap();
    bytes[3] |= 0x40;
    assert_eq!(Bench::new().bytes(&bytes).unwrap()[3] & 0x40, 0);
}

#[test]
fn edns_is_answered_by_edns_with_our_size_and_the_same_do_bit() {
    let bench = Bench::new();
    for wanted in [true, false] {
        let mut question = with_edns(query("api.example.com", A), 4096);
        question.edns.as_mut().unwrap().set_dnssec_ok(wanted);
        let edns = bench.ask(&question).edns.unwrap();
        assert_eq!((edns.version(), edns.max_payload(), edns.flags().dnssec_ok), (0, 1232, wanted));
    }
}

#[test]
fn answers_about_the_longest_names_fit_plain_dns() {
    let bench = Bench::new();
    for (parent, payload) in [("example.com", None), ("example.org", None), ("example.org", Some(0))] {
        let plain = query(&longest(parent), A);
        let question = payload.map_or(plain.clone(), |payload| with_edns(plain, payload));
        let bytes = bench.bytes(&question.to_vec().unwrap()).unwrap();
        let answer = hickory_proto::op::Message::from_vec(&bytes).unwrap();
        assert!(bytes.len() <= 512, "{} bytes", bytes.len());
        assert!(!answer.truncation);
        assert_eq!(answer.answers.len() + answer.authorities.len(), 1);
    }
}

#[test]
fn an_answer_that_does_not_fit_is_truncated_to_its_question() {
    let bench = Bench::new();
    let bytes = with_edns(query("evil.example.org", A), 1232).to_vec().unwrap();
    let (request, _) = crate::request::parse(&bytes, Limits::default().query).unwrap();
    let authority = crate::response::authority();
    let response = crate::response::Response {
        request: &request,
        code: ResponseCode::NXDomain,
        answer: None,
        authority: Some(&authority),
        extended: None,
    };
    let mut out = Vec::new();
    assert!(response.write(60, 1232, &mut out));
    let answer = hickory_proto::op::Message::from_vec(&out).unwrap();
    assert!(answer.truncation && answer.authorities.is_empty() && answer.edns.is_some());
    assert_eq!(answer.queries[0].name(), &super::name("evil.example.org"));
    assert!(!bench.ask(&query("evil.example.org", A)).truncation);
}

#[test]
fn both_transports_give_the_same_answer() {
    let bench = Bench::new();
    let bytes = with_edns(query("evil.example.org", A), 1232).to_vec().unwrap();
    assert_eq!(bench.sinkhole.answer(&bytes, Transport::Tcp), bench.bytes(&bytes));
    assert_eq!(extended_error(&bench.ask(&with_edns(query("evil.example.org", A), 512))), Some(15));
}
