//! How long does a decision take at 100,000 rules?

use std::sync::LazyLock;

use bottle_policy::{Name, Request, Rules, Seen, Target, check_addresses, decide, resolvable};
use divan::black_box;

fn main() {
    divan::main();
}

const RULES: usize = 100_000;

static POLICY: LazyLock<Rules> = LazyLock::new(|| {
    let mut text = String::from("version: 1\ndomains:\n");
    for i in 0..RULES / 2 {
        let prefix = ["", "*.", "."][i % 3];
        text +=
            &format!("  - {{pattern: '{prefix}host{i}.zone{}.example', ports: [443, {}]}}\n", i % 100, 1000 + i % 1000);
    }
    text += "ip_ranges:\n";
    for i in 0..RULES / 2 {
        text += &format!("  - {{cidr: '{}.{}.{}.0/24', ports: [443]}}\n", 32 + i / 65536, i / 256 % 256, i % 256);
    }
    Rules::from_text(&text, "bench.yaml").expect("a good policy")
});

fn to_name(name: &str) -> Request {
    let name = Name::parse(name).expect("a name");
    Request { target: Target::Lease(name.clone()), port: 443, seen: Seen::Tls { sni: Some(name), ech: false } }
}

#[divan::bench]
fn allowed_name(bencher: divan::Bencher) {
    let request = to_name("a.b.host40000.zone0.example");
    assert!(matches!(decide(&POLICY, &request), bottle_policy::Verdict::Allow(_)));
    bencher.bench_local(|| decide(black_box(&POLICY), black_box(&request)));
}

#[divan::bench]
fn denied_name(bencher: divan::Bencher) {
    let request = to_name("a.b.host40000.zone99.example");
    assert!(matches!(decide(&POLICY, &request), bottle_policy::Verdict::Deny(_)));
    bencher.bench_local(|| decide(black_box(&POLICY), black_box(&request)));
}

#[divan::bench]
fn longest_name(bencher: divan::Bencher) {
    let request = to_name(&("a.".repeat(110) + "host40000.zone0.example"));
    bencher.bench_local(|| decide(black_box(&POLICY), black_box(&request)));
}

#[divan::bench]
fn allowed_address(bencher: divan::Bencher) {
    let request = Request { target: Target::Literal([32, 100, 7, 9].into()), port: 443, seen: Seen::Nothing };
    assert!(matches!(decide(&POLICY, &request), bottle_policy::Verdict::Allow(_)));
    bencher.bench_local(|| decide(black_box(&POLICY), black_box(&request)));
}

#[divan::bench]
fn name_of_a_query(bencher: divan::Bencher) {
    let name = Name::parse("www.host40000.zone0.example").expect("a name");
    bencher.bench_local(|| resolvable(black_box(&POLICY), black_box(&name)));
}

#[divan::bench]
fn four_resolved_addresses(bencher: divan::Bencher) {
    let request = to_name("a.b.host40000.zone0.example");
    let addresses = [[11, 0, 0, 1], [11, 0, 0, 2], [12, 0, 0, 1], [13, 0, 0, 1]].map(std::net::IpAddr::from);
    assert_eq!(check_addresses(&POLICY, &request, &addresses), Ok(()));
    bencher.bench_local(|| check_addresses(black_box(&POLICY), black_box(&request), black_box(&addresses)));
}

#[divan::bench]
fn parse_a_name_from_the_wire(bencher: divan::Bencher) {
    bencher.bench_local(|| Name::from_wire(black_box(b"API.host40000.zone0.example")));
}
