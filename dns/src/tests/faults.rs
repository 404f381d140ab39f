//! What do queries get that are wrong?

use bottle_policy::Reason;
use hickory_proto::op::ResponseCode::{self, BADSIG, FormErr, NotImp};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::RecordType::A;
use hickory_proto::rr::{RData, Record};

use super::{Bench, LEASE, name, query, with_edns};

#[track_caller]
fn assert_code(bytes: &[u8], code: ResponseCode) {
    let bench = Bench::new();
    let answer = bench.bytes(bytes).expect("an answer");
    let answer = Message::from_vec(&answer).expect("a well-formed answer");
    assert_eq!(answer.response_code, code);
    assert_eq!(answer.id, u16::from_be_bytes([bytes[0], bytes[1]]));
    assert!(answer.answers.is_empty() && answer.authorities.is_empty());
    let reasons: Vec<Reason> = bench.reports().into_iter().map(|(_, _, reason)| reason).collect();
    assert_eq!(reasons, [Reason::Unparsable]);
}

fn valid() -> Vec<u8> {
    query("api.example.com", A).to_vec().unwrap()
}

#[test]
fn less_than_a_header_gets_silence() {
    for length in 0..12 {
        assert_eq!(Bench::new().bytes(&valid()[..length]), None);
    }
}

#[test]
fn silence_is_reported_and_so_is_the_name_where_there_is_one() {
    let (bench, mut bytes) = (Bench::new(), valid());
    bench.bytes(&bytes[..11]);
    bytes.push(0);
    bench.bytes(&bytes);
    let unreadable = ("(unreadable)".to_owned(), "unknown".to_owned(), Reason::Unparsable);
    assert_eq!(bench.reports(), [unreadable, ("api.example.com".into(), "A".into(), Reason::Unparsable)]);
}

#[test]
fn an_answer_gets_silence() {
    let mut bytes = valid();
    bytes[2] |= 0x80;
    assert_eq!(Bench::new().bytes(&bytes), None);
}

#[test]
fn a_query_cut_anywhere_is_malformed() {
    let bytes = with_edns(query("api.example.com", A), 1232).to_vec().unwrap();
    for length in 12..bytes.len() {
        assert_code(&bytes[..length], FormErr);
    }
}

#[test]
fn bytes_after_the_message_are_malformed() {
    let mut bytes = valid();
    bytes.push(0);
    assert_code(&bytes, FormErr);
}

#[test]
fn a_query_longer_than_any_is_malformed() {
    let mut question = query("api.example.com", A);
    question.add_additional(Record::from_rdata(name("x"), 0, RData::A(LEASE.into())));
    let mut bytes = question.to_vec().unwrap();
    bytes.resize(2049, 0);
    assert_code(&bytes, FormErr);
}

#[test]
fn no_question_and_two_questions_are_malformed() {
    let mut none = query("api.example.com", A);
    none.queries.clear();
    assert_code(&none.to_vec().unwrap(), FormErr);
    let mut two = query("api.example.com", A);
    two.add_query(Query::query(name("b.example"), A));
    assert_code(&two.to_vec().unwrap(), FormErr);
}

#[test]
fn counts_that_the_bytes_do_not_bear_out_are_malformed() {
    for place in [4, 6, 8, 10] {
        let mut bytes = valid();
        bytes[place..place + 2].fill(0xff);
        assert_code(&bytes, FormErr);
    }
}

#[test]
fn records_that_no_query_has_are_malformed() {
    let record = || Record::from_rdata(name("api.example.com"), 0, RData::A(LEASE.into()));
    let mut answered = query("api.example.com", A);
    answered.add_answer(record());
    assert_code(&answered.to_vec().unwrap(), FormErr);
    let mut authorised = query("api.example.com", A);
    authorised.add_authority(record());
    assert_code(&authorised.to_vec().unwrap(), FormErr);
}

#[test]
fn compression_in_the_question_is_malformed_whether_it_loops_or_not() {
    for pointer in [[0xc0, 12], [0xc0, 0], [0xc0, 4], [0xc0, 14], [0xff, 0xff], [0x40, 1], [0x80, 1]] {
        let mut bytes = valid();
        bytes.splice(12..bytes.len(), [pointer.as_slice(), &[0, 1, 0, 1]].concat());
        assert_code(&bytes, FormErr);
        let mut bytes = valid();
        bytes.splice(12..bytes.len(), [&[1, b'a'], pointer.as_slice(), &[0, 1, 0, 1]].concat());
        assert_code(&bytes, FormErr);
    }
}

#[test]
fn a_name_longer_than_255_bytes_is_malformed() {
    let mut bytes = valid()[..12].to_vec();
    for _ in 0..5 {
        bytes.push(63);
        bytes.extend([b'a'; 63]);
    }
    bytes.extend([0, 0, 1, 0, 1]);
    assert_code(&bytes, FormErr);
}

#[test]
fn other_operations_are_not_implemented_and_keep_their_opcode() {
    for code in 1..16 {
        let mut bytes = valid();
        bytes[2] |= code << 3;
        assert_code(&bytes, NotImp);
        let answer = Bench::new().bytes(&bytes).unwrap();
        assert_eq!(answer[2] >> 3 & 0x0f, code);
        assert_eq!(answer[12..], bytes[12..], "the question comes back");
    }
}

#[test]
fn an_unknown_edns_version_is_told_ours() {
    let mut question = with_edns(query("api.example.com", A), 1232);
    question.edns.as_mut().unwrap().set_version(1);
    let bytes = question.to_vec().unwrap();
    // BADVERS and BADSIG are one number; reading a message, hickory calls it the latter.
    assert_code(&bytes, BADSIG);
    assert_eq!(Bench::new().ask(&question).edns.unwrap().version(), 0);
}

#[test]
fn two_edns_records_or_one_below_a_name_are_malformed() {
    let mut two = with_edns(query("api.example.com", A), 1232);
    two.add_additional(Record::from(&Edns::new()));
    assert_code(&two.to_vec().unwrap(), FormErr);
    let mut below = query("api.example.com", A);
    let mut record = Record::from(&Edns::new());
    record.name = name("x");
    below.add_additional(record);
    assert_code(&below.to_vec().unwrap(), FormErr);
}

#[test]
fn broken_edns_options_do_no_harm() {
    let mut bytes = with_edns(query("api.example.com", A), 1232).to_vec().unwrap();
    let length = bytes.len() - 1;
    bytes[length] = 3;
    bytes.extend([0, 10, 0]);
    let answer = Bench::new().bytes(&bytes).expect("an answer");
    assert_eq!(Message::from_vec(&answer).unwrap().id, 0x1234);
}

#[test]
fn an_error_has_qr_set_whatever_was_wrong() {
    let message = Message::new(7, MessageType::Query, OpCode::Status);
    assert_eq!(Bench::new().ask(&message).message_type, MessageType::Response);
}
