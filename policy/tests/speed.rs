//! Does a decision stay as fast however many rules there are? `cargo bench -p bottle-policy` measures how fast.

use std::time::{Duration, Instant};

use bottle_policy::{Name, Request, Rules, Seen, Target, decide};

fn rules(count: usize) -> Rules {
    let flags: Vec<_> = (0..count).map(|i| format!("host{i}.zone{}.example", i % 100)).collect();
    Rules::allow_flags(&flags).expect("good flags")
}

/// The fastest of many rounds, so that a busy machine does not count.
fn fastest(rules: &Rules, request: &Request) -> Duration {
    let round = || {
        let start = Instant::now();
        (0..100).for_each(|_| drop(std::hint::black_box(decide(rules, request))));
        start.elapsed()
    };
    (0..50).map(|_| round()).min().expect("50 rounds")
}

/// A search through the rules would be thousands of times slower.
#[test]
fn a_thousand_times_the_rules_do_not_make_a_decision_much_slower() {
    let (few, many) = (rules(100), rules(100_000));
    for text in ["host7.zone7.example", "unknown.zone7.example", "unknown.example"] {
        let name = Name::parse(text).expect(text);
        let request = Request { target: Target::Lease(name), port: 443, seen: Seen::Nothing };
        let (fast, slow) = (fastest(&few, &request), fastest(&many, &request));
        assert!(slow < fast * 20, "{text}: {fast:?} with 100 rules, {slow:?} with 100,000");
    }
}

/// Rules that add nothing are not kept, so a thousand rules for one name cost what one costs.
#[test]
fn many_rules_for_one_name_do_not_make_a_decision_much_slower() {
    let ports: Vec<_> = (1..=20_000).map(|port| format!("*.example:{port}")).collect();
    let same: Vec<_> = (0..20_000).map(|_| "*.example").collect();
    let one = Rules::allow_flags(&["*.example"]).expect("a good flag");
    let request =
        Request { target: Target::Lease(Name::parse("a.example").expect("a name")), port: 443, seen: Seen::Nothing };
    let fast = fastest(&one, &request);
    for many in [Rules::allow_flags(&ports), Rules::allow_flags(&same)] {
        let slow = fastest(&many.expect("good flags"), &request);
        assert!(slow < fast * 20, "{fast:?} with one rule, {slow:?} with 20,000");
    }
}
