//! How long does one answer take, without the socket?

use std::sync::Arc;

use bottle_dns::{Denials, Limits, Sinkhole, Transport};
use bottle_policy::{Leases, Reason, Rules};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};

fn main() {
    divan::main();
}

struct Nobody;

impl Denials for Nobody {
    fn denied(&self, _: &str, _: &str, _: Reason) {}
}

fn query(name: &str, kind: RecordType, edns: bool) -> Vec<u8> {
    let mut message = Message::new(1, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    if edns {
        message.set_edns(Edns::new());
    }
    message.to_vec().unwrap()
}

#[divan::bench(args = [
    ("api.example.com.", RecordType::A, false),
    ("api.example.com.", RecordType::A, true),
    ("api.example.com.", RecordType::AAAA, true),
    ("evil.example.org.", RecordType::A, true),
])]
fn answer(bencher: divan::Bencher<'_, '_>, (name, kind, edns): (&str, RecordType, bool)) {
    let rules = Arc::new(Rules::allow_flags(&["*.example.com"]).expect("rules"));
    let leases = Arc::new(Leases::new([7; 32], bottle_policy::lease::POOL));
    let sinkhole = Sinkhole::new(rules, leases, Limits::default(), Arc::new(Nobody));
    let query = query(name, kind, edns);
    let mut out = Vec::new();
    bencher.bench_local(|| sinkhole.answer_into(divan::black_box(&query), Transport::Udp, &mut out));
}
