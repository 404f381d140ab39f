//! What does each kind of name get?

use std::net::{IpAddr, Ipv6Addr};

use bottle_policy::Reason;
use hickory_proto::op::ResponseCode::{FormErr, NXDomain, NoError, Refused, ServFail};
use hickory_proto::rr::RecordType::{self, A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData};

use super::{Bench, GATE, LEASE, assert_negative, extended_error, name, query, with_edns};

#[track_caller]
fn assert_address(bench: &Bench, asked: &str, kind: RecordType, address: IpAddr) {
    let answer = bench.lookup(asked, kind);
    assert_eq!(answer.response_code, NoError);
    let [record] = answer.answers.as_slice() else { panic!("one record, not {:?}", answer.answers) };
    assert_eq!((record.name.clone(), record.ttl), (name(asked), 5));
    assert_eq!(record.data.ip_addr(), Some(address));
    assert_eq!(bench.reports(), []);
}

#[track_caller]
fn assert_pointer(reverse: &str, target: &str) {
    let answer = Bench::new().lookup(reverse, PTR);
    let [record] = answer.answers.as_slice() else { panic!("one record, not {:?}", answer.answers) };
    let RData::PTR(found) = &record.data else { panic!("a PTR, not {record}") };
    assert_eq!(found.0, name(target));
}

#[test]
fn an_allowed_name_gets_its_lease() {
    assert_address(&Bench::new(), "api.example.com", A, LEASE.into());
}

#[test]
fn other_types_of_an_allowed_name_are_empty_and_not_denied() {
    use RecordType::{ANY, CNAME, DNSKEY, DS, HTTPS, MX, NS, SOA, SRV, SVCB, TXT, Unknown};
    let bench = Bench::new();
    for kind in [AAAA, ANY, CNAME, DNSKEY, DS, HTTPS, MX, NS, PTR, SOA, SRV, SVCB, TXT, Unknown(0), Unknown(65_280)] {
        assert_negative(&bench.lookup("api.example.com", kind), NoError);
    }
    assert_eq!(bench.reports(), []);
}

#[test]
fn a_denied_name_does_not_exist_whatever_the_type_and_is_reported() {
    let bench = Bench::new();
    for kind in [A, AAAA, RecordType::TXT, RecordType::Unknown(65_280)] {
        assert_negative(&bench.lookup("Evil.Example.ORG", kind), NXDomain);
    }
    let report = |kind: &str| ("evil.example.org".to_owned(), kind.to_owned(), Reason::NoRule);
    assert_eq!(bench.reports(), ["A", "AAAA", "TXT", "TYPE65280"].map(report));
}

#[test]
fn a_denial_says_why_to_who_understands_it() {
    let bench = Bench::new();
    let answer = bench.ask(&with_edns(query("evil.example.org", A), 1232));
    assert_negative(&answer, NXDomain);
    assert_eq!(extended_error(&answer), Some(15));
    assert!(bench.lookup("evil.example.org", A).edns.is_none());
}

#[test]
fn a_name_for_which_no_address_is_left_fails_and_is_reported() {
    let bench = Bench::new();
    let answer = bench.ask(&with_edns(query("full.example.com", A), 1232));
    assert_eq!((answer.response_code, extended_error(&answer)), (ServFail, Some(0)));
    assert_eq!(bench.reports(), [("full.example.com".into(), "A".into(), Reason::Limit)]);
}

#[test]
fn a_service_of_an_allowed_host_is_empty_and_of_a_denied_one_denied() {
    let bench = Bench::new();
    assert_negative(&bench.lookup("_https._tcp.api.example.com", RecordType::SRV), NoError);
    assert_negative(&bench.lookup("_8443._https.api.example.com", RecordType::HTTPS), NoError);
    assert_eq!(bench.reports(), []);
    for denied in ["_https._tcp.example.org", "_only", "_a._b", "a_b.example.org", "x._tcp.api.example.com"] {
        assert_negative(&bench.lookup(denied, RecordType::SRV), NXDomain);
    }
    assert_eq!(bench.reports().len(), 5);
}

#[test]
fn localhost_and_all_below_it_are_loopback() {
    let bench = Bench::new();
    for local in ["localhost", "LocalHost", "a.b.localhost"] {
        assert_address(&bench, local, A, IpAddr::from([127, 0, 0, 1]));
        assert_address(&bench, local, AAAA, Ipv6Addr::LOCALHOST.into());
        assert_negative(&bench.lookup(local, RecordType::MX), NoError);
    }
    assert_negative(&bench.lookup("notlocalhost", A), NXDomain);
}

#[test]
fn the_gate_has_a_name() {
    let bench = Bench::new();
    assert_address(&bench, "_egress.local", A, GATE.into());
    assert_negative(&bench.lookup("_egress.local", AAAA), NoError);
    assert_negative(&bench.lookup("other.local", A), NXDomain);
}

#[test]
fn the_root_exists_and_has_nothing() {
    let bench = Bench::new();
    assert_negative(&bench.lookup(".", RecordType::NS), NoError);
    assert_eq!(bench.reports(), []);
}

#[test]
fn reverse_names_are_answered_from_leases() {
    assert_pointer("3.2.1.28.in-addr.arpa", "api.example.com");
    assert_pointer("1.0.0.28.IN-ADDR.arpa", "_egress.local");
    assert_pointer("1.0.0.127.in-addr.arpa", "localhost");
    assert_pointer(&format!("1.{}ip6.arpa", "0.".repeat(31)), "localhost");
}

#[test]
fn a_reverse_name_without_a_lease_is_denied() {
    let bench = Bench::new();
    let others =
        ["4.2.1.28.in-addr.arpa", "28.in-addr.arpa", "1.3.2.1.28.in-addr.arpa", "256.2.1.28.in-addr.arpa", "arpa"];
    for reverse in others {
        assert_negative(&bench.lookup(reverse, PTR), NXDomain);
    }
    assert_eq!(bench.reports()[0], ("4.2.1.28.in-addr.arpa".into(), "PTR".into(), Reason::NoRule));
    assert_eq!(bench.reports().len(), others.len());
}

#[test]
fn another_type_at_a_reverse_name_is_empty() {
    assert_negative(&Bench::new().lookup("3.2.1.28.in-addr.arpa", A), NoError);
}

#[test]
fn a_dot_or_any_other_byte_within_a_label_does_not_make_another_name() {
    let bench = Bench::new();
    let odd: [&[&[u8]]; 6] = [
        &[b"api.example", b"com"],
        &[b"api", b"example.com"],
        &[b"api\0", b"example", b"com"],
        &[b"api ", b"example", b"com"],
        &[b"*", b"example", b"com"],
        &[b"\xff\\", b"example", b"com"],
    ];
    for labels in odd {
        let mut question = query("x", A);
        question.queries[0].set_name(Name::from_labels(labels.iter().copied()).unwrap());
        assert_negative(&bench.ask(&question), NXDomain);
    }
    let told: Vec<String> = bench.reports().into_iter().map(|(name, ..)| name).collect();
    let escaped = [
        r"api\.example.com",
        r"api.example\.com",
        r"api\000.example.com",
        r"api\032.example.com",
        "*.example.com",
        r"\255\\.example.com",
    ];
    assert_eq!(told, escaped);
}

#[test]
fn zone_transfers_and_other_classes_are_refused() {
    let bench = Bench::new();
    for kind in [RecordType::AXFR, RecordType::IXFR] {
        assert_eq!(bench.lookup("api.example.com", kind).response_code, Refused);
    }
    for class in [DNSClass::CH, DNSClass::HS, DNSClass::ANY, DNSClass::NONE, DNSClass::Unknown(0)] {
        let mut question = with_edns(query("api.example.com", A), 1232);
        question.queries[0].set_query_class(class);
        let answer = bench.ask(&question);
        assert_eq!((answer.response_code, extended_error(&answer)), (Refused, Some(21)));
    }
}

#[test]
fn types_that_no_data_has_are_malformed() {
    let bench = Bench::new();
    for kind in [41, 249, 250, 253, 254] {
        assert_eq!(bench.lookup("api.example.com", kind.into()).response_code, FormErr);
    }
}
