//! Does nothing leave before the record, and nothing ever but to addresses that were checked?

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bottle_policy::{Name, Reason, Request, Rules, Seen, Target, Verdict};
use bottle_proxy::dialler::{Addresses, HostResolver, Limits, ResolveError};
use bottle_proxy::{Attempt, Dialler, Ended, HostAddresses, Ledger, LedgerError, Outcome, RefusalKind, Resolve, Way};

const POLICY: &str = "
version: 1
domains:
  - pattern: api.example.com
    ports: [443]
  - pattern: db.example.com
    ports: [5432]
    protocol: tcp
  - pattern: inside.example.com
    ports: [5432]
    protocol: tcp
    allow_private: true
";

/// What happened, in order.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    fn add(&self, event: impl Into<String>) {
        self.0.lock().expect("lock").push(event.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("lock").clone()
    }
}

struct Script {
    events: Events,
    records: bool,
    answers: Vec<IpAddr>,
    own: Vec<IpAddr>,
}

#[derive(Clone)]
struct Part(Arc<Script>);

impl Ledger for Part {
    async fn decided(&self, attempt: &Attempt, verdict: &Verdict) -> Result<(), LedgerError> {
        let word = match verdict {
            Verdict::Allow(_) => "allow".to_owned(),
            Verdict::Deny(reason) => reason.code().to_owned(),
            other => format!("{other:?}"),
        };
        self.0.events.add(format!("decided {} {word}", attempt.id));
        if self.0.records { Ok(()) } else { Err(LedgerError("disk full".to_owned())) }
    }

    async fn ended(&self, outcome: Outcome) {
        self.0.events.add(format!("ended {}", outcome.attempt));
    }
}

impl Resolve for Part {
    async fn lookup(&self, name: &Name) -> Result<Addresses, ResolveError> {
        self.0.events.add(format!("lookup {name}"));
        Ok(Addresses { addrs: self.0.answers.clone(), ttl: Duration::from_secs(60) })
    }
}

impl HostAddresses for Part {
    fn is_local(&self, address: IpAddr) -> io::Result<bool> {
        self.0.events.add(format!("own {address}"));
        Ok(self.0.own.contains(&address))
    }
}

type Scripted = Dialler<Part, Part, Part>;

fn dialler(records: bool, answers: &[&str], own: &[&str]) -> (Scripted, Events) {
    let ips = |list: &[&str]| list.iter().map(|text| text.parse().expect("an address")).collect();
    let events = Events::default();
    let part = Part(Arc::new(Script { events: events.clone(), records, answers: ips(answers), own: ips(own) }));
    let rules = Arc::new(Rules::from_text(POLICY, "test").expect("a policy"));
    (Dialler::new(rules, part.clone(), part.clone(), part, Limits::default()), events)
}

fn attempt(id: u64, host: &str, port: u16, seen: Seen) -> Attempt {
    Attempt {
        id,
        source: "28.0.0.2:40000".parse().expect("an address"),
        original: SocketAddr::new("28.1.2.3".parse().expect("an address"), port),
        way: Way::Transparent,
        request: Request { target: Target::Lease(Name::parse(host).expect("a name")), port, seen },
        denied: None,
    }
}

fn database(id: u64) -> Attempt {
    attempt(id, "db.example.com", 5432, Seen::Nothing)
}

#[tokio::test]
async fn a_denied_attempt_is_recorded_once_and_never_resolved() {
    let (dialler, events) = dialler(true, &["11.0.0.1"], &[]);
    let refusal = dialler.handle(attempt(1, "evil.example", 443, Seen::Nothing)).await.expect_err("denied");
    assert_eq!((refusal.kind, refusal.reason), (RefusalKind::Denied, Some(Reason::NoRule)));
    assert_eq!(events.all(), ["decided 1 no-rule"]);
}

#[tokio::test]
async fn an_allow_that_cannot_be_recorded_is_never_resolved() {
    let (dialler, events) = dialler(false, &["11.0.0.1"], &[]);
    let refusal = dialler.handle(database(1)).await.expect_err("denied");
    assert_eq!((refusal.kind, refusal.reason), (RefusalKind::Unavailable, Some(Reason::Unavailable)));
    assert_eq!(events.all(), ["decided 1 allow"]);
}

#[tokio::test]
async fn the_record_comes_before_the_lookup_and_the_check_after_it() {
    let (dialler, events) = dialler(true, &["11.0.0.1", "11.0.0.2"], &["11.0.0.2"]);
    let refusal = dialler.handle(database(1)).await.expect_err("the host's own");
    assert_eq!(refusal.reason, Some(Reason::HostAddress));
    assert_eq!(events.all(), ["decided 1 allow", "lookup db.example.com", "own 11.0.0.1", "own 11.0.0.2"]);
}

#[tokio::test]
async fn one_forbidden_address_denies_them_all() {
    for forbidden in [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
    ] {
        let (dialler, events) = dialler(true, &["11.0.0.1", forbidden], &[]);
        let refusal = dialler.handle(database(1)).await.expect_err(forbidden);
        assert_eq!(refusal.kind, RefusalKind::Denied, "{forbidden}");
        assert_eq!(events.all(), ["decided 1 allow", "lookup db.example.com"], "{forbidden}");
    }
}

#[tokio::test]
async fn allow_private_covers_private_but_not_loopback() {
    let inside = |id| attempt(id, "inside.example.com", 5432, Seen::Nothing);
    let (covered, events) = dialler(true, &["10.0.0.1"], &["10.0.0.1"]);
    assert_eq!(covered.handle(inside(1)).await.expect_err("the host's own").reason, Some(Reason::HostAddress));
    assert_eq!(events.all().last().map(String::as_str), Some("own 10.0.0.1"));
    let (loopback, _) = dialler(true, &["127.0.0.1"], &[]);
    assert_eq!(loopback.handle(inside(1)).await.expect_err("loopback").reason, Some(Reason::HostAddress));
}

#[tokio::test]
async fn a_name_without_addresses_is_unreachable_and_one_with_too_many_is_denied() {
    let (none, _) = dialler(true, &[], &[]);
    assert_eq!(none.handle(database(1)).await.expect_err("none").kind, RefusalKind::Unreachable);
    let many: Vec<String> = (0..65).map(|last| format!("11.0.0.{last}")).collect();
    let (many, _) = dialler(true, &many.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    assert_eq!(many.handle(database(1)).await.expect_err("many").reason, Some(Reason::Limit));
}

#[tokio::test]
async fn an_attempt_that_was_not_peeked_at_is_denied() {
    let (dialler, events) = dialler(true, &["11.0.0.1"], &[]);
    let refusal = dialler.handle(attempt(1, "api.example.com", 443, Seen::Nothing)).await.expect_err("denied");
    assert_eq!(refusal.reason, Some(Reason::Unparsable));
    assert_eq!(events.all(), ["decided 1 unparsable"]);
}

#[tokio::test]
async fn a_connect_is_allowed_before_its_first_bytes() {
    let (dialler, events) = dialler(true, &["11.0.0.1"], &["11.0.0.1"]);
    let mut connect = attempt(1, "api.example.com", 443, Seen::Nothing);
    connect.way = Way::Connect;
    connect.request.target = Target::Named(Name::parse("api.example.com").expect("a name"));
    let refusal = dialler.handle(connect).await.expect_err("the host's own");
    assert_eq!(refusal.reason, Some(Reason::HostAddress));
    assert_eq!(events.all()[0], "decided 1 allow");
}

#[tokio::test]
async fn the_gate_can_narrow_a_verdict_but_not_widen_it() {
    let (dialler, events) = dialler(true, &["11.0.0.1"], &[]);
    let narrowed = Attempt { denied: Some(Reason::Limit), ..database(1) };
    assert_eq!(dialler.handle(narrowed).await.expect_err("narrowed").reason, Some(Reason::Limit));
    let denied = Attempt { denied: Some(Reason::Limit), ..attempt(2, "evil.example", 443, Seen::Nothing) };
    assert_eq!(dialler.handle(denied).await.expect_err("denied").reason, Some(Reason::NoRule));
    assert_eq!(events.all(), ["decided 1 limit", "decided 2 no-rule"]);
}

#[tokio::test]
async fn an_attempt_that_contradicts_itself_is_denied() {
    let (dialler, events) = dialler(true, &["11.0.0.1"], &[]);
    let mut wrong = database(1);
    wrong.original.set_port(443);
    assert_eq!(dialler.handle(wrong).await.expect_err("denied").reason, Some(Reason::NameMismatch));
    assert_eq!(events.all(), ["decided 1 name-mismatch"]);
}

#[tokio::test]
async fn each_attempt_has_one_decision_and_one_outcome() {
    let (dialler, events) = dialler(true, &["11.0.0.1"], &["11.0.0.1"]);
    let refusal = dialler.handle(database(1)).await.expect_err("the host's own");
    assert!(dialler.handle(database(1)).await.is_err());
    for _ in 0..2 {
        dialler.ended(Outcome::refused(1, &refusal, 3)).await;
        dialler.ended(Outcome::refused(9, &refusal, 3)).await;
    }
    let counted = |word: &str| events.all().iter().filter(|event| event.starts_with(word)).count();
    assert_eq!((counted("decided"), counted("ended")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn resolvers_that_never_answer_make_it_unreachable_in_time() {
    struct Silent;
    impl Resolve for Silent {
        async fn lookup(&self, _: &Name) -> Result<Addresses, ResolveError> {
            std::future::pending().await
        }
    }
    let part = Part(Arc::new(Script { events: Events::default(), records: true, answers: vec![], own: vec![] }));
    let rules = Arc::new(Rules::from_text(POLICY, "test").expect("a policy"));
    let dialler = Dialler::new(rules, Silent, part.clone(), part, Limits::default());
    let start = tokio::time::Instant::now();
    assert_eq!(dialler.handle(database(1)).await.expect_err("silent").kind, RefusalKind::Unreachable);
    assert_eq!(start.elapsed(), Limits::default().resolve);
}

#[tokio::test]
async fn the_hosts_file_is_read_and_read_again_when_it_changes() {
    let place = tempfile::tempdir().expect("a directory");
    let (configuration, hosts) = (place.path().join("resolv.conf"), place.path().join("hosts"));
    std::fs::write(&configuration, "nameserver 127.0.0.1\n").expect("written");
    std::fs::write(&hosts, "11.0.0.1 api.example.com\n").expect("written");
    let resolver = HostResolver::new(&configuration, &hosts).expect("a resolver");
    let name = Name::parse("api.example.com").expect("a name");
    let first: IpAddr = "11.0.0.1".parse().expect("an address");
    assert_eq!(resolver.lookup(&name).await.expect("there").addrs, [first]);
    std::fs::rename(place.path().join("hosts"), place.path().join("old")).expect("moved");
    std::fs::write(&hosts, "11.0.0.2 API.example.com\n").expect("written");
    let second: IpAddr = "11.0.0.2".parse().expect("an address");
    assert_eq!(resolver.lookup(&name).await.expect("there").addrs, [second]);
}

#[test]
fn attempts_outcomes_and_refusals_are_strict_json() {
    let attempt = database(7);
    let text = serde_json::to_string(&attempt).expect("json");
    assert_eq!(serde_json::from_str::<Attempt>(&text).expect("back"), attempt);
    assert!(serde_json::from_str::<Attempt>(&text.replacen('{', "{\"more\":1,", 1)).is_err());
    let long =
        Attempt { request: Request { seen: Seen::Unparsable("x".repeat(257)), ..attempt.request.clone() }, ..attempt };
    assert!(serde_json::from_str::<Attempt>(&serde_json::to_string(&long).expect("json")).is_err());
    let outcome = Outcome::refused(7, &bottle_proxy::Refusal::unreachable("x".repeat(900)), 1);
    assert_eq!(outcome.ended, Ended::Unreachable);
    let text = serde_json::to_string(&outcome).expect("json");
    assert!(text.len() < 600);
    assert_eq!(serde_json::from_str::<Outcome>(&text).expect("back"), outcome);
    assert!(serde_json::from_str::<Outcome>(&text.replacen('{', "{\"more\":1,", 1)).is_err());
}
