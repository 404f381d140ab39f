//! Do `bottle why`, the sinkhole and the proxy give one answer, for all policies and requests?

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bottle_dns::{Denials, Limits as DnsLimits, Sinkhole, Transport};
use bottle_policy::rules::DomainRule;
use bottle_policy::{Leases, Name, Reason, Request, Rules, Seen, Target, Verdict, lease, why};
use bottle_proxy::dialler::{Addresses, Limits, ResolveError};
use bottle_proxy::sniff::{Sniffed, classify};
use bottle_proxy::{Attempt, Dialler, HostAddresses, Ledger, LedgerError, Outcome, RefusalKind, Resolve, Way};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::RecordType;
use proptest::prelude::*;

const NAMES: [&str; 7] =
    ["example.com", "a.example.com", "b.a.example.com", "evil-example.com", "example.org", "dns.google", "x.invalid"];
const PORTS: [u16; 5] = [22, 80, 443, 853, 5432];

fn a_rule() -> impl Strategy<Value = String> {
    let name = prop::sample::select(&NAMES[..6]);
    let prefix = prop::sample::select(vec!["", "*.", "."]);
    let ports = prop::option::of(prop::collection::vec(prop::sample::select(&PORTS[..]), 1..3));
    let protocol = prop::sample::select(vec!["auto", "tls", "http", "tcp"]);
    (prefix, name, ports, protocol).prop_map(|(prefix, name, ports, protocol)| {
        let ports = ports.map_or("null".to_owned(), |ports| format!("{ports:?}"));
        format!("{{pattern: '{prefix}{name}', ports: {ports}, protocol: {protocol}}}")
    })
}

fn rules() -> impl Strategy<Value = Arc<Rules>> {
    (prop::sample::select(vec!["enforce", "observe"]), prop::collection::vec(a_rule(), 0..5)).prop_map(
        |(mode, rules)| {
            let text = format!("version: 1\nmode: {mode}\ndomains: [{}]\n", rules.join(", "));
            Arc::new(Rules::from_text(&text, "agent.yaml").expect(&text))
        },
    )
}

/// What a client may send first: what it shows is read from the bytes, as in the gate.
fn first_bytes() -> impl Strategy<Value = Vec<u8>> {
    let hello = include_bytes!("../corpus/client_hello/one_name").to_vec();
    let silent = include_bytes!("../corpus/client_hello/no_name").to_vec();
    let request = |host| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
    prop_oneof![
        Just(replaced(&hello, b"api.example.com", b"b.a.example.com")),
        Just(hello),
        Just(silent),
        prop::sample::select(&NAMES[..]).prop_map(request),
        Just(b"SSH-2.0-x\r\n".to_vec()),
        Just(Vec::new()),
    ]
}

fn replaced(bytes: &[u8], old: &[u8; 15], new: &[u8; 15]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|window| window == old).expect("the name is in the hello");
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

fn shown(bytes: &[u8]) -> Seen {
    match classify(bytes, true) {
        Sniffed::Seen(seen) => seen,
        Sniffed::NeedMore => panic!("no answer at the end of {bytes:?}"),
    }
}

/// What the sinkhole says of a name: an address, or not.
fn resolves(rules: &Arc<Rules>, name: &str) -> bool {
    struct Nobody;
    impl Denials for Nobody {
        fn denied(&self, _: &str, _: &str, _: Reason) {}
    }
    let leases = Arc::new(Leases::new([7; 32], lease::POOL));
    let sinkhole = Sinkhole::new(Arc::clone(rules), leases, DnsLimits::default(), Arc::new(Nobody));
    let mut query = Message::new(1, MessageType::Query, OpCode::Query);
    query.add_query(Query::query(format!("{name}.").parse().expect("a name"), RecordType::A));
    let answer = sinkhole.answer(&query.to_vec().expect("a query"), Transport::Udp).expect("an answer");
    let answer = Message::from_vec(&answer).expect("an answer");
    assert_eq!(answer.response_code == ResponseCode::NoError, answer.answers.len() == 1);
    answer.answers.len() == 1
}

/// The world around a dialler: it records, and no name has an address, so nothing is ever dialled.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Vec<Verdict>>>);

impl Ledger for World {
    async fn decided(&self, _: &Attempt, verdict: &Verdict) -> Result<(), LedgerError> {
        self.0.lock().expect("one thread").push(verdict.clone());
        Ok(())
    }

    async fn ended(&self, _: Outcome) {}
}

impl Resolve for World {
    async fn lookup(&self, _: &Name) -> Result<Addresses, ResolveError> {
        Ok(Addresses { addrs: Vec::new(), ttl: Duration::ZERO })
    }
}

impl HostAddresses for World {
    fn is_local(&self, _: IpAddr) -> io::Result<bool> {
        Ok(false)
    }
}

/// What the dialler records of a request, and what the gate is told.
fn dialled(rules: &Arc<Rules>, way: Way, request: Request) -> (Verdict, RefusalKind) {
    let world = World::default();
    let dialler = Dialler::new(Arc::clone(rules), world.clone(), world.clone(), world.clone(), Limits::default());
    let original = format!("28.1.2.3:{}", request.port).parse().expect("an address");
    let source = "28.0.0.2:40000".parse().expect("an address");
    let attempt = Attempt { id: 1, source, original, way, request, denied: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let refusal = runtime.block_on(dialler.handle(attempt)).expect_err("there is no address to connect to");
    let verdicts = world.0.lock().expect("one thread").clone();
    let [verdict] = verdicts.as_slice() else { panic!("{} records", verdicts.len()) };
    (verdict.clone(), refusal.kind)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_why_says_the_sinkhole_and_the_proxy_do(
        rules in rules(), name in prop::sample::select(&NAMES[..]), port in prop::sample::select(&PORTS[..]), bytes in first_bytes(),
    ) {
        let asked = why::ask(&format!("{name}:{port}")).expect("a destination");
        let said = why::why(&rules, &asked).verdict;
        let denied = matches!(said, Verdict::Deny(_));
        prop_assert!(denied || resolves(&rules, name), "why would let {} through, and it has no address", name);

        // Before any byte: what why says is recorded, and what wants to be seen is no allow.
        let (at_once, told) = dialled(&rules, Way::Transparent, asked.clone());
        match &said {
            Verdict::Peek => prop_assert_eq!(&at_once, &Verdict::Deny(Reason::Unparsable)),
            settled => prop_assert_eq!(&at_once, settled),
        }
        prop_assert_eq!(told == RefusalKind::Denied, !matches!(at_once, Verdict::Allow(_)));

        // With the first bytes: what why says of them is recorded, and never an allow where why says no.
        let with_bytes = Request { seen: shown(&bytes), ..asked };
        let (after, _) = dialled(&rules, Way::Transparent, with_bytes.clone());
        prop_assert_eq!(&after, &why::why(&rules, &with_bytes).verdict);
        prop_assert!(!denied || matches!(after, Verdict::Deny(_)), "{:?} became {:?}", said, after);
    }

    #[test]
    fn the_explicit_proxy_allows_what_a_redirected_connection_is_allowed(
        rules in rules(), name in prop::sample::select(&NAMES[..]), port in prop::sample::select(&PORTS[..]), bytes in first_bytes(),
    ) {
        let named = Target::Named(Name::parse(name).expect("a name"));
        let leased = Target::Lease(Name::parse(name).expect("a name"));
        let to = |target: &Target, seen| Request { target: target.clone(), port, seen };
        let (connect, _) = dialled(&rules, Way::Connect, to(&named, shown(&bytes)));
        let (redirected, _) = dialled(&rules, Way::Transparent, to(&leased, shown(&bytes)));
        prop_assert_eq!(connect, redirected);
        let (early, _) = dialled(&rules, Way::Connect, to(&named, Seen::Nothing));
        let said = why::why(&rules, &to(&leased, Seen::Nothing)).verdict;
        match said {
            // A rule that wants to see TLS is promised to; one that wants HTTP can't be.
            Verdict::Peek => prop_assert!(matches!(early, Verdict::Allow(_) | Verdict::Deny(Reason::NotHttp)), "{:?}", early),
            settled => prop_assert_eq!(early, settled),
        }
    }

    #[test]
    fn a_name_has_an_address_exactly_if_some_connection_to_it_could_be(rules in rules(), name in prop::sample::select(&NAMES[..])) {
        let mut ports: Vec<u16> = PORTS.to_vec();
        ports.push(8443);
        let could = ports.iter().any(|port| {
            let asked = why::ask(&format!("{name}:{port}")).expect("a destination");
            !matches!(why::why(&rules, &asked).verdict, Verdict::Deny(_))
        });
        // A rule for the port of encrypted DNS alone allows nothing, but names the name.
        let parsed = Name::parse(name).expect("a name");
        let meant: Vec<_> = rules.domains().iter().filter(|rule| rule.pattern.matches(&parsed)).collect();
        let for_it_alone = |rule: &&DomainRule| ports.iter().all(|port| *port == 853 || !rule.ports.contains(*port));
        let only_encrypted_dns = !meant.is_empty() && meant.iter().all(for_it_alone);
        prop_assert!(resolves(&rules, name) == could || only_encrypted_dns);
    }
}
