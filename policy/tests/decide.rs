//! Does each kind of connection get the answer that the design promises?

use std::net::IpAddr;

use bottle_policy::{
    Host, HttpHost, Name, Reason, Request, Rules, Seen, Target, Verdict, check_addresses, check_proxy, decide,
    resolvable,
};

#[path = "decide/host.rs"]
mod host;

const POLICY: &str = r#"
version: 1
domains:
  - { pattern: api.example.com, ports: [443] }
  - { pattern: "*.cdn.example.com" }
  - { pattern: db.example.com, ports: [5432], protocol: tcp, allow_private: true }
  - { pattern: deb.example.com, ports: [80], protocol: http }
  - { pattern: both.example.com, ports: [80, 443] }
  - { pattern: both.example.com, ports: [80], protocol: http }
ip_ranges:
  - { cidr: 11.1.0.0/16, ports: [443] }
  - { cidr: 10.20.0.0/16, ports: [5432] }
  - { cidr: 169.254.169.254/32, ports: [80] }
  - { cidr: 168.63.0.0/16 }
  - { cidr: 8.0.0.0/6, ports: [5432] }
  - { cidr: 127.0.0.0/8 }
"#;

fn rules() -> Rules {
    Rules::from_text(POLICY, "agent.yaml").expect("a good policy")
}

fn name(text: &str) -> Name {
    Name::parse(text).expect(text)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn to(host: &str, port: u16, seen: Seen) -> Request {
    let target = match Host::parse(host).expect(host) {
        Host::Name(name) => Target::Lease(name),
        Host::Address(address) => Target::Literal(address),
    };
    Request { target, port, seen }
}

fn tls(sni: &str) -> Seen {
    Seen::Tls { sni: Some(name(sni)), ech: false }
}

fn http(host: &str) -> Seen {
    let (host, port) = Host::parse_with_port(host).expect(host);
    let host = match host {
        Host::Name(name) => HttpHost::Name(name),
        Host::Address(address) => HttpHost::Address(address),
    };
    Seen::Http { host, port }
}

const NO_SNI: Seen = Seen::Tls { sni: None, ech: false };

fn allowed_by(rules: &Rules, request: &Request) -> Option<String> {
    match decide(rules, request) {
        Verdict::Allow(grant) => Some(grant.rule),
        _ => None,
    }
}

fn denied(host: &str, port: u16, seen: Seen) -> Option<Reason> {
    match decide(&rules(), &to(host, port, seen)) {
        Verdict::Deny(reason) => Some(reason),
        _ => None,
    }
}

fn allowed(host: &str, port: u16, seen: Seen) -> bool {
    allowed_by(&rules(), &to(host, port, seen)).is_some()
}

#[test]
fn no_policy_and_an_empty_list_mean_no_egress() {
    let empty = Rules::from_text("version: 1\ndomains: []\nip_ranges: []\n", "x").expect("valid");
    let none = Rules::from_documents(&[]).expect("valid");
    for rules in [Rules::deny_all(), empty, none] {
        let request = to("api.example.com", 443, tls("api.example.com"));
        assert_eq!(decide(&rules, &request), Verdict::Deny(Reason::NoRule));
        assert_eq!(decide(&rules, &to("11.0.0.1", 443, Seen::Nothing)), Verdict::Deny(Reason::LiteralAddress));
        assert_eq!(resolvable(&rules, &name("api.example.com")), Err(Reason::NoRule));
    }
}

#[test]
fn before_any_byte_tls_and_http_rules_peek_and_tcp_rules_dial() {
    for host in ["api.example.com", "x.cdn.example.com"] {
        assert_eq!(decide(&rules(), &to(host, 443, Seen::Nothing)), Verdict::Peek, "{host}");
    }
    assert_eq!(decide(&rules(), &to("deb.example.com", 80, Seen::Nothing)), Verdict::Peek);
    assert!(allowed("db.example.com", 5432, Seen::Nothing));
}

#[test]
fn an_allow_names_the_rule_with_its_place() {
    let request = to("db.example.com", 5432, Seen::Nothing);
    assert_eq!(allowed_by(&rules(), &request).as_deref(), Some("domains[2] at agent.yaml:6:5"));
}

#[test]
fn tls_must_name_the_leased_host_or_nothing() {
    assert!(allowed("api.example.com", 443, tls("API.example.com.")));
    assert!(allowed("api.example.com", 443, NO_SNI));
    assert_eq!(denied("api.example.com", 443, tls("other.example.com")), Some(Reason::NameMismatch));
    let connect = Request { target: Target::Named(name("api.example.com")), port: 443, seen: tls("evil.example") };
    assert_eq!(decide(&rules(), &connect), Verdict::Deny(Reason::NameMismatch));
}

#[test]
fn an_outer_ech_name_is_just_a_name() {
    let ech = |sni: Option<&str>| Seen::Tls { sni: sni.map(name), ech: true };
    assert!(allowed("api.example.com", 443, ech(Some("api.example.com"))));
    assert_eq!(denied("api.example.com", 443, ech(Some("cloudflare-ech.com"))), Some(Reason::NameMismatch));
    assert_eq!(denied("api.example.com", 443, ech(None)), Some(Reason::NoName));
}

#[test]
fn under_auto_other_protocols_are_denied() {
    assert_eq!(denied("api.example.com", 443, http("api.example.com:443")), Some(Reason::NotTls));
    assert_eq!(denied("api.example.com", 443, Seen::Opaque), Some(Reason::NotTls));
    assert_eq!(denied("api.example.com", 443, Seen::Silent), Some(Reason::NothingSent));
    assert_eq!(denied("api.example.com", 443, Seen::Unparsable("x".into())), Some(Reason::Unparsable));
}

#[test]
fn under_http_each_request_must_name_the_host_and_port() {
    assert!(allowed("deb.example.com", 80, http("deb.example.com")));
    assert!(allowed("deb.example.com", 80, http("deb.example.com:80")));
    assert!(allowed("deb.example.com", 80, Seen::Http { host: HttpHost::Absent, port: None }));
    assert_eq!(denied("deb.example.com", 80, http("deb.example.com:8080")), Some(Reason::NameMismatch));
    assert_eq!(denied("deb.example.com", 80, http("evil.example")), Some(Reason::NameMismatch));
    assert_eq!(denied("deb.example.com", 80, http("11.0.0.1")), Some(Reason::NameMismatch));
    assert_eq!(denied("deb.example.com", 80, tls("deb.example.com")), Some(Reason::NotHttp));
    assert_eq!(denied("deb.example.com", 80, Seen::Opaque), Some(Reason::NotHttp));
}

#[test]
fn two_rules_for_one_port_allow_what_either_allows() {
    assert!(allowed("both.example.com", 80, http("both.example.com")));
    assert!(allowed("both.example.com", 80, tls("both.example.com")));
    assert_eq!(denied("both.example.com", 80, Seen::Opaque), Some(Reason::NotTls));
}

#[test]
fn under_tcp_any_name_that_shows_must_agree() {
    assert!(allowed("db.example.com", 5432, Seen::Opaque));
    assert!(allowed("db.example.com", 5432, tls("db.example.com")));
    assert!(allowed("db.example.com", 5432, NO_SNI));
    assert_eq!(denied("db.example.com", 5432, tls("evil.example")), Some(Reason::NameMismatch));
    assert_eq!(denied("db.example.com", 5432, http("evil.example")), Some(Reason::NameMismatch));
    assert_eq!(denied("db.example.com", 5432, Seen::Unparsable("x".into())), Some(Reason::Unparsable));
}

#[test]
fn an_unnamed_host_and_an_unnamed_port_have_different_reasons() {
    assert_eq!(denied("evil.example", 443, Seen::Nothing), Some(Reason::NoRule));
    assert_eq!(denied("cdn.example.com", 443, Seen::Nothing), Some(Reason::NoRule));
    assert_eq!(denied("api.example.com", 22, Seen::Nothing), Some(Reason::PortNotAllowed));
    assert_eq!(denied("api.example.com", 0, Seen::Nothing), Some(Reason::PortNotAllowed));
}

#[test]
fn a_literal_address_needs_a_range() {
    assert!(allowed("11.1.2.3", 443, Seen::Nothing));
    assert!(allowed("11.1.2.3", 443, tls("whatever.example")));
    assert!(allowed("11.1.2.3", 443, http("11.1.2.3:443")));
    assert_eq!(denied("11.1.2.3", 443, http("11.9.9.9")), Some(Reason::NameMismatch));
    assert_eq!(denied("11.1.2.3", 80, Seen::Nothing), Some(Reason::PortNotAllowed));
    assert_eq!(denied("13.0.0.1", 443, Seen::Nothing), Some(Reason::LiteralAddress));
    assert_eq!(denied("28.9.9.9", 443, Seen::Nothing), Some(Reason::LiteralAddress));
}

#[test]
fn a_range_covers_special_addresses_only_within_their_block() {
    assert!(allowed("10.20.1.1", 5432, Seen::Nothing));
    assert_eq!(denied("10.21.1.1", 5432, Seen::Nothing), Some(Reason::PrivateAddress));
    assert!(allowed("9.1.1.1", 5432, Seen::Nothing), "8.0.0.0/6 covers what is public in it");
}

#[test]
fn metadata_needs_an_exact_range() {
    assert!(allowed("169.254.169.254", 80, Seen::Nothing));
    assert_eq!(denied("168.63.129.16", 80, Seen::Nothing), Some(Reason::MetadataAddress));
    assert_eq!(denied("100.100.100.200", 80, Seen::Nothing), Some(Reason::MetadataAddress));
}

#[test]
fn no_rule_reaches_loopback() {
    assert_eq!(denied("127.0.0.1", 80, Seen::Nothing), Some(Reason::HostAddress));
    assert_eq!(denied("[::ffff:127.0.0.1]", 80, Seen::Nothing), Some(Reason::HostAddress));
}

fn checked(host: &str, port: u16, seen: Seen, addresses: &[&str]) -> Result<(), Reason> {
    let addresses: Vec<_> = addresses.iter().map(|text| ip(text)).collect();
    check_addresses(&rules(), &to(host, port, seen), &addresses)
}

#[test]
fn one_bad_address_denies_the_whole_request() {
    let api = |addresses: &[&str]| checked("api.example.com", 443, tls("api.example.com"), addresses);
    assert_eq!(api(&["11.0.0.1", "2606:2800::1"]), Ok(()));
    assert_eq!(api(&["11.0.0.1", "10.0.0.1"]), Err(Reason::PrivateAddress));
    assert_eq!(api(&["11.0.0.1", "::ffff:11.0.0.1"]), Err(Reason::PrivateAddress));
    assert_eq!(api(&["127.0.0.1"]), Err(Reason::HostAddress));
    assert_eq!(api(&["fe80::1"]), Err(Reason::HostAddress));
    assert_eq!(api(&["28.1.2.3"]), Err(Reason::PrivateAddress));
    assert_eq!(api(&["fd00:ec2::254"]), Err(Reason::MetadataAddress));
    assert_eq!(api(&["8.8.8.8"]), Err(Reason::DohEndpoint));
    assert_eq!(api(&[]), Err(Reason::Unavailable));
}

#[test]
fn allow_private_covers_neither_loopback_nor_link_local_nor_metadata() {
    let db = |address: &str| checked("db.example.com", 5432, Seen::Nothing, &[address]);
    for address in ["10.9.9.9", "192.168.1.1", "100.64.0.1", "fd00:1::1", "172.16.0.1", "64:ff9b::a00:1"] {
        assert_eq!(db(address), Ok(()), "{address}");
    }
    for address in ["127.0.0.1", "::1", "0.0.0.0", "169.254.1.1", "fe80::1", "::ffff:127.0.0.1", "2002:7f00:1::"] {
        assert_eq!(db(address), Err(Reason::HostAddress), "{address}");
    }
    for address in ["169.254.169.254", "168.63.129.16", "100.100.100.200", "::ffff:169.254.169.254", "192.0.0.192"] {
        assert_eq!(db(address), Err(Reason::MetadataAddress), "{address}");
    }
}

#[test]
fn a_range_lets_a_name_resolve_into_it() {
    let rules = Rules::from_text(
        "version: 1\ndomains: [{pattern: a.example}]\nip_ranges: [{cidr: 10.20.0.0/16, ports: [443]}, {cidr: 169.254.0.0/16}]\n",
        "x",
    )
    .expect("valid");
    let request = |port| to("a.example", port, tls("a.example"));
    assert_eq!(check_addresses(&rules, &request(443), &[ip("10.20.1.1")]), Ok(()));
    assert_eq!(check_addresses(&rules, &request(443), &[ip("::ffff:10.20.1.1")]), Ok(()));
    assert_eq!(check_addresses(&rules, &request(8443), &[ip("10.20.1.1")]), Err(Reason::PrivateAddress));
    assert_eq!(check_addresses(&rules, &request(443), &[ip("169.254.1.1")]), Ok(()));
    assert_eq!(check_addresses(&rules, &request(443), &[ip("169.254.169.254")]), Err(Reason::MetadataAddress));
}

#[test]
fn addresses_of_a_request_that_is_not_allowed_are_never_good() {
    assert_eq!(checked("evil.example", 443, Seen::Nothing, &["11.0.0.1"]), Err(Reason::NoRule));
    assert_eq!(checked("api.example.com", 443, Seen::Nothing, &["11.0.0.1"]), Err(Reason::Unavailable));
    assert_eq!(checked("11.1.2.3", 443, Seen::Nothing, &["11.1.2.3"]), Ok(()));
    assert_eq!(checked("11.1.2.3", 443, Seen::Nothing, &["11.1.2.4"]), Err(Reason::LiteralAddress));
}

#[test]
fn encrypted_dns_is_denied_in_every_mode_and_by_every_rule() {
    let policy =
        "version: 1\ndomains: [{pattern: dns.google}, {pattern: .example.com}]\nip_ranges: [{cidr: 8.8.8.8}]\n";
    for rules in [Rules::from_text(policy, "x").expect("valid"), Rules::observe()] {
        let doh = Verdict::Deny(Reason::DohEndpoint);
        assert_eq!(decide(&rules, &to("dns.google", 443, Seen::Nothing)), doh);
        assert_eq!(decide(&rules, &to("8.8.8.8", 443, Seen::Nothing)), doh);
        assert_eq!(decide(&rules, &to("a.example.com", 853, Seen::Nothing)), doh);
        assert_eq!(decide(&rules, &to("11.0.0.1", 443, tls("dns.google"))), doh);
        assert_eq!(resolvable(&rules, &name("dns.google")), Err(Reason::DohEndpoint));
    }
}

#[test]
fn observe_allows_and_records_all_but_private_and_special_addresses() {
    let rules = Rules::observe();
    for request in [
        to("any.example", 22, Seen::Nothing),
        to("any.example", 443, tls("any.example")),
        to("11.0.0.1", 80, Seen::Opaque),
    ] {
        match decide(&rules, &request) {
            Verdict::Allow(grant) => {
                assert!(grant.observed && !grant.private && grant.rule == "mode: observe")
            }
            other => panic!("{request:?}: {other:?}"),
        }
    }
    assert_eq!(resolvable(&rules, &name("any.example")), Ok(()));
    let denied = |host: &str, seen| decide(&rules, &to(host, 443, seen));
    assert_eq!(denied("10.0.0.1", Seen::Nothing), Verdict::Deny(Reason::PrivateAddress));
    assert_eq!(denied("169.254.169.254", Seen::Nothing), Verdict::Deny(Reason::MetadataAddress));
    assert_eq!(denied("127.0.0.1", Seen::Nothing), Verdict::Deny(Reason::HostAddress));
    assert_eq!(denied("28.1.1.1", Seen::Nothing), Verdict::Deny(Reason::LiteralAddress));
    assert_eq!(denied("any.example", tls("other.example")), Verdict::Deny(Reason::NameMismatch));
    let request = to("any.example", 443, Seen::Nothing);
    assert_eq!(check_addresses(&rules, &request, &[ip("10.0.0.1")]), Err(Reason::PrivateAddress));
}

#[test]
fn rules_in_observe_mode_still_add_allow_private() {
    let rules = Rules::from_text(
        "version: 1\nmode: observe\ndomains: [{pattern: a.example, protocol: tcp, allow_private: true}]\n",
        "x",
    );
    let request = to("a.example", 5432, Seen::Nothing);
    assert_eq!(check_addresses(&rules.expect("valid"), &request, &[ip("10.0.0.1")]), Ok(()));
}

#[test]
fn names_that_every_mode_denies() {
    for text in ["probe.invalid", "_egress.local", "bottle.internal", "x.bottle.internal", "x.host.bottle.internal"] {
        let request = to(text, 443, Seen::Nothing);
        assert_eq!(decide(&Rules::observe(), &request), Verdict::Deny(Reason::NoRule));
        assert_eq!(resolvable(&Rules::observe(), &name(text)), Err(Reason::NoRule));
    }
}

#[test]
fn resolvable_asks_for_any_port() {
    for (text, expected) in [
        ("api.example.com", Ok(())),
        ("a.b.cdn.example.com", Ok(())),
        ("cdn.example.com", Err(Reason::NoRule)),
        ("x.api.example.com", Err(Reason::NoRule)),
    ] {
        assert_eq!(resolvable(&rules(), &name(text)), expected, "{text}");
    }
}
