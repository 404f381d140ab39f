//! Does nothing leave before the record, and nothing ever but to addresses that were checked?

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bottle_policy::{Name, Reason, Request, Rules, Seen, Target, Verdict};
use bottle_proxy::dialler::{Addresses, HostResolver, Limits, ResolveError};
use bottle_proxy::{
    Attempt, Dialler, Ended, HostAddresses, Ledger, LedgerError, Outcome, RefusalKind, Resolve, UpstreamProxy, Way,
};

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
    for form in ["64:ff9b::a00:1", "2002:a00:1::1", "::ffff:10.0.0.1"] {
        let (led_to, _) = dialler(true, &[form], &["10.0.0.1"]);
        assert_eq!(led_to.handle(inside(1)).await.expect_err(form).reason, Some(Reason::HostAddress), "{form}");
    }
    let (loopback, _) = dialler(true, &["127.0.0.1"], &[]);
    assert_eq!(loopback.handle(inside(1)).await.expect_err("loopback").reason, Some(Reason::HostAddress));
}

/// A listener on loopback, and a rule for its port.
async fn on_loopback(at: &str) -> (tokio::net::TcpListener, u16, Scripted, Events) {
    let listener = tokio::net::TcpListener::bind(at).await.expect("loopback");
    let port = listener.local_addr().expect("an address").port();
    let rule = format!("version: 1\ndomains: [{{pattern: host.bottle.internal, ports: [{port}], protocol: tcp}}]\n");
    let (events, rules) = (Events::default(), Rules::from_text(&rule, "x").expect("valid"));
    let answers = vec![[11, 1, 0, 1].into()];
    let part = Part(Arc::new(Script { events: events.clone(), records: true, answers, own: Vec::new() }));
    let dialler = Dialler::new(Arc::new(rules), part.clone(), part.clone(), part, Limits::default());
    (listener, port, dialler, events)
}

#[tokio::test]
async fn the_hosts_loopback_is_dialled_at_a_listed_port_without_a_lookup() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let (listener, port, dialler, events) = on_loopback(at).await;
        let socket = dialler.handle(attempt(1, "host.bottle.internal", port, Seen::Nothing)).await.expect(at);
        let (_, from) = listener.accept().await.expect("a connection");
        assert_eq!(std::net::TcpStream::from(socket).local_addr().expect("connected"), from);
        assert_eq!(events.all(), ["decided 1 allow"]);
    }
}

#[tokio::test]
async fn no_other_port_of_the_hosts_loopback_is_dialled() {
    let (listener, _, dialler, events) = on_loopback("127.0.0.1:0").await;
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = other.local_addr().expect("an address").port();
    let refusal = dialler.handle(attempt(1, "host.bottle.internal", port, Seen::Nothing)).await.expect_err("denied");
    assert_eq!(refusal.reason, Some(Reason::PortNotAllowed));
    assert_eq!(events.all(), ["decided 1 port-not-allowed"]);
    drop(listener);
}

/// A dialler whose upstream proxy is on loopback and answers each head with these pieces; and what the proxy hears.
async fn through_a_proxy(pieces: &'static [&'static str]) -> (Scripted, Events, tokio::task::JoinHandle<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://u:p@{}", listener.local_addr().expect("an address"));
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        for piece in pieces {
            stream.write_all(piece.as_bytes()).await.expect("written");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        String::from_utf8(head).expect("text")
    });
    let (dialler, events) = dialler(true, &["11.1.0.1"], &[]);
    (dialler.through(Some(UpstreamProxy::parse(&url).expect("a proxy"))), events, heard)
}

#[tokio::test]
async fn a_proxy_is_asked_by_name_and_what_follows_its_answer_is_left_in_the_socket() {
    for pieces in [
        &["HTTP/1.1 200 OK\r\nVia: x\r\n\r\nSSH-2.0-x\r\n"] as &[_],
        &["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.", "0 200 O", "K\r\n\r", "\nSSH-", "2.0-x\r\n"],
    ] {
        let (dialler, events, heard) = through_a_proxy(pieces).await;
        let socket = dialler.handle(database(1)).await.expect("a tunnel");
        assert_eq!(
            heard.await.expect("a head"),
            "CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\nProxy-Authorization: Basic dTpw\r\n\r\n"
        );
        assert_eq!(events.all(), ["decided 1 allow"], "the name is not looked up here");
        let stream = std::net::TcpStream::from(socket);
        stream.set_nonblocking(false).expect("blocking");
        let text = std::io::read_to_string(stream).expect("all of it");
        assert_eq!(text, "SSH-2.0-x\r\n");
    }
}

#[tokio::test]
async fn what_a_proxy_refuses_is_unreachable_with_its_reason() {
    for (answer, words) in [
        (&["HTTP/1.1 407 No\r\n\r\n"], "the upstream proxy does not accept the credentials (407)"),
        (&["HTTP/1.1 504 Late\r\n\r\n"], "the upstream proxy got no answer from it in time (504)"),
        (&["220 mail.example ESMTP\r\n\r\n"], "is not the answer of an HTTP proxy"),
        (&["HTTP/1.1 200 O"], "closed the connection without an answer"),
    ] {
        let (dialler, _, heard) = through_a_proxy(answer).await;
        let refusal = dialler.handle(database(1)).await.expect_err(words);
        assert_eq!(refusal.kind, RefusalKind::Unreachable);
        assert!(refusal.to_string().contains(words), "{refusal}");
        heard.await.expect("a head");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_never_answers_is_given_up_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (dialler, _) = dialler(true, &[], &[]);
    let dialler = dialler.through(Some(UpstreamProxy::parse(&url).expect("a proxy")));
    let refusal = dialler.handle(database(1)).await.expect_err("no answer");
    assert!(refusal.to_string().contains("no answer from the upstream proxy in time"), "{refusal}");
}

#[tokio::test]
async fn a_literal_address_is_checked_before_any_proxy_is_asked() {
    let rules = "version: 1\nip_ranges: [{cidr: 11.0.0.0/8}, {cidr: 8.0.0.0/6}]\n";
    let events = Events::default();
    let own = vec!["11.0.0.2".parse().expect("an address")];
    let part =
        Part(Arc::new(Script { events: events.clone(), records: true, answers: vec![[11, 0, 0, 9].into()], own }));
    let rules = Arc::new(Rules::from_text(rules, "x").expect("valid"));
    let dialler = Dialler::new(rules, part.clone(), part.clone(), part, Limits::default());
    let dialler = dialler.through(Some(UpstreamProxy::parse("http://proxy.example:1").expect("a proxy")));
    for (id, address, reason) in [
        (1, "10.1.2.3", Reason::PrivateAddress),
        (2, "11.0.0.2", Reason::HostAddress),
        (3, "11.0.0.9", Reason::UpstreamProxy),
    ] {
        let literal: IpAddr = address.parse().expect(address);
        let request = Request { target: Target::Literal(literal), port: 5432, seen: Seen::Nothing };
        let attempt = Attempt { original: SocketAddr::new(literal, 5432), request, ..database(id) };
        let refusal = dialler.handle(attempt).await.expect_err(address);
        assert_eq!(refusal.reason, Some(reason), "{address}: {:?}", events.all());
    }
    assert_eq!(events.all().iter().filter(|event| event.starts_with("lookup")).count(), 1, "the proxy's own name");
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
