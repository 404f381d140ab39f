//! Do documents and flags come to the same meaning, however they are written?

use bottle_policy::{Mode, Rules, document::Document, rules::RulesError, why};

fn rules(text: &str) -> Rules {
    Rules::from_text(text, "agent.yaml").expect(text)
}

#[test]
fn a_file_written_for_egress_filter_loads_unchanged() {
    let text = r#"
version: 1
default_policy: deny
dns:
  allow_authoritative: false
doh:
  enabled: false
domains:
  - pattern: "git.example"
    ports: [22, 443]
  - pattern: "*.git.example"
    ports: [443]
  - pattern: "registry.example"
    ports: null
    reason: "packages"
ip_ranges:
  - cidr: "127.0.0.0/8"
  - cidr: "::1/128"
  - cidr: "::ffff:127.0.0.0/104"
  - cidr: "192.168.0.0/16"
  - cidr: "1.1.1.1"
    ports: [53, 443]
"#;
    let rules = rules(text);
    assert_eq!((rules.mode(), rules.domains().len(), rules.ranges().len()), (Mode::Enforce, 3, 5));
}

#[test]
fn a_rule_that_names_just_a_server_of_encrypted_dns_never_applies() {
    let rules = rules(
        "version: 1\ndomains:\n  - pattern: DNS.google\n  - pattern: \"*.google\"\n  - pattern: a.example\nip_ranges:\n  - cidr: 1.1.1.1\n  - cidr: 1.0.0.0/8\n",
    );
    let never: Vec<_> = rules.never_applying().iter().map(|(origin, what)| format!("{origin}: {what}")).collect();
    assert_eq!(never, ["domains[0] at agent.yaml:3:5: dns.google", "ip_ranges[0] at agent.yaml:7:5: 1.1.1.1"]);
}

#[test]
fn json_is_yaml() {
    let json = r#"{"version": 1, "domains": [{"pattern": "a.example", "ports": [443]}]}"#;
    assert_eq!(
        rules(json).digest(),
        rules("version: 1\ndomains:\n  - pattern: a.example\n    ports: [443]\n").digest()
    );
}

#[test]
fn the_digest_is_of_the_meaning() {
    let one = rules(
        "version: 1\ndomains:\n  - pattern: B.example.\n    ports: [443, 80, 443]\n  - pattern: a.example\n    reason: x\n",
    );
    let same = rules(
        "# reordered\nversion: 1\nmode: enforce\ndomains: [{pattern: a.example}, {pattern: a.example}, {ports: [80, 443], pattern: b.example}]\n",
    );
    assert_eq!(one.digest_hex(), same.digest_hex());
    assert_eq!(one.digest_hex().len(), 64);
    let different = [
        "version: 1\ndomains: [{pattern: a.example}]\n",
        "version: 1\ndomains: [{pattern: a.example}, {ports: [443], pattern: b.example}]\n",
        "version: 1\ndomains: [{pattern: a.example, protocol: tcp}, {ports: [80, 443], pattern: b.example}]\n",
        "version: 1\ndomains: [{pattern: a.example, allow_private: true}, {ports: [80, 443], pattern: b.example}]\n",
        "version: 1\nmode: observe\ndomains: [{pattern: a.example}, {ports: [80, 443], pattern: b.example}]\n",
        "version: 1\ndomains: [{pattern: a.example}, {ports: [80, 443], pattern: b.example}]\nip_ranges: [{cidr: 10.0.0.0/8}]\n",
    ];
    for text in different {
        assert_ne!(rules(text).digest(), one.digest(), "{text}");
    }
}

#[test]
fn the_digest_of_nothing_is_fixed() {
    assert_eq!(Rules::deny_all().meaning(), r#"{"domains":[],"ip_ranges":[],"mode":"enforce","version":1}"#);
    assert_eq!(Rules::deny_all().digest(), rules("version: 1\n").digest());
}

#[test]
fn canonical_texts_are_those_of_rfc_8785() {
    let rules = rules(
        "version: 1\ndomains: [{pattern: a.example, reason: \"\\\"ä€\\n\\e𝄞\", ports: [443]}]\nip_ranges: [{cidr: fd00::/32}]\n",
    );
    for text in [rules.to_canonical(), rules.meaning()] {
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(serde_json_canonicalizer::to_string(&value).expect("canonical"), text);
    }
}

#[test]
fn the_canonical_form_carries_everything_places_included() {
    let before = rules("version: 1\ndomains:\n  - pattern: '*.a.example'\n    ports: [443]\n    reason: why not\nip_ranges:\n  - cidr: 10.0.0.0/8\n")
        .unite(Rules::allow_flags(&["tcp://db.example:5432"]).expect("a good flag"))
        .expect("one mode");
    let after = Rules::from_canonical(&before.to_canonical()).expect("what was written is read");
    assert_eq!((after.domains(), after.ranges(), after.mode()), (before.domains(), before.ranges(), before.mode()));
    assert_eq!(after.digest(), before.digest());
    let question = why::ask("x.a.example").expect("a name");
    assert_eq!(why::why(&after, &question).rule.as_deref(), Some("domains[0] at agent.yaml:3:5"));
}

#[test]
fn a_forged_canonical_form_is_checked() {
    let good = rules("version: 1\ndomains: [{pattern: a.example, ports: [443]}]\nip_ranges: [{cidr: 10.0.0.0/8}]\n")
        .to_canonical();
    for (from, to) in [
        ("a.example", "localhost"),
        ("[443]", "[]"),
        ("[443]", "[0]"),
        ("10.0.0.0/8", "28.0.0.0/8"),
        ("\"mode\"", "\"moda\""),
        ("\"version\":1", "\"version\":2"),
    ] {
        let forged = good.replace(from, to);
        assert_ne!(forged, good);
        assert!(Rules::from_canonical(&forged).is_err(), "{forged}");
    }
}

#[test]
fn documents_unite_and_keep_their_own_places() {
    let one = Document::parse("version: 1\ndomains: [{pattern: a.example}]\n", "one.yaml").expect("valid");
    let two =
        Document::parse("version: 1\ndomains: [{pattern: b.example, protocol: tcp}]\n", "two.yaml").expect("valid");
    let rules = Rules::from_documents(&[one, two]).expect("one mode");
    let rule = |text| why::why(&rules, &why::ask(text).expect("a name")).rule;
    assert_eq!(rule("a.example").as_deref(), Some("domains[0] at one.yaml:2:11"));
    assert_eq!(rule("b.example").as_deref(), Some("domains[0] at two.yaml:2:11"));
}

#[test]
fn documents_that_say_different_modes_do_not_unite() {
    let says = |mode: &str| Document::parse(&format!("version: 1\nmode: {mode}\n"), mode).expect("valid");
    let error = Rules::from_documents(&[says("enforce"), says("observe")]).expect_err("they differ");
    assert!(matches!(error, RulesError::ModesDiffer(Mode::Enforce, Mode::Observe)));
    assert!(error.hint().is_some());
    let silent = Document::parse("version: 1\n", "x").expect("valid");
    assert_eq!(Rules::from_documents(&[silent, says("observe")]).expect("one mode").mode(), Mode::Observe);
}
