//! What holds for all names, policies and connections?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bottle_policy::{
    HttpHost, Leases, Name, Pattern, Reason, Request, Rules, Seen, Target, Verdict, check_addresses, decide, lease,
    resolvable, rules::Protocol, this_host, why,
};
use proptest::prelude::*;

/// Few labels, so that names, patterns and rules meet.
fn a_name() -> impl Strategy<Value = Name> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c-d", "e_f", "xn--bcher-kva"]), 0..4).prop_map(
        |labels| {
            let text: String = labels.iter().flat_map(|label| [*label, "."]).collect();
            Name::parse(&(text + "example")).expect("made of good labels")
        },
    )
}

/// How people and programs write the same name: in capitals, with a dot at its end, in Unicode, with Unicode's dots.
fn a_spelling() -> impl Strategy<Value = fn(&Name) -> String> {
    let capitals: fn(&Name) -> String = |name| name.as_str().to_uppercase();
    prop::sample::select(vec![
        capitals,
        |name| format!("{name}."),
        |name| name.as_str().replace("xn--bcher-kva", "BÜCHER"),
        |name| name.as_str().replace("xn--bcher-kva", "bu\u{308}cher"),
        |name| name.as_str().replace('.', "\u{3002}"),
        |name| name.as_str().replace('e', "\u{ff45}").replace("xn--bch\u{ff45}r-kva", "bücher"),
    ])
}

fn a_pattern() -> impl Strategy<Value = String> {
    (prop::sample::select(vec!["", "*.", "."]), a_name()).prop_map(|(prefix, name)| format!("{prefix}{name}"))
}

fn a_port() -> impl Strategy<Value = u16> {
    prop::sample::select(vec![1, 22, 80, 443, 853, 5432])
}

fn a_domain() -> impl Strategy<Value = String> {
    let protocol = prop::sample::select(vec!["auto", "tls", "http", "tcp"]);
    (a_pattern(), prop::option::of(prop::collection::vec(a_port(), 1..3)), protocol, any::<bool>()).prop_map(
        |(pattern, ports, protocol, private)| {
            let ports = ports.map_or("null".to_owned(), |ports| format!("{ports:?}"));
            format!("{{pattern: '{pattern}', ports: {ports}, protocol: {protocol}, allow_private: {private}}}")
        },
    )
}

fn a_range() -> impl Strategy<Value = String> {
    let net = prop::sample::select(vec![
        "10.0.0.0/8",
        "10.1.0.0/16",
        "11.0.0.0/8",
        "8.0.0.0/6",
        "169.254.169.254/32",
        "169.254.0.0/16",
        "fd00:1::/32",
        "127.0.0.0/8",
    ]);
    (net, prop::option::of(a_port())).prop_map(|(net, port)| {
        format!("{{cidr: '{net}', ports: {}}}", port.map_or("null".to_owned(), |p| format!("[{p}]")))
    })
}

fn an_address() -> impl Strategy<Value = IpAddr> {
    let known = prop::sample::select(vec![
        "10.1.2.3",
        "11.1.2.3",
        "8.8.8.8",
        "169.254.169.254",
        "169.254.1.1",
        "127.0.0.1",
        "28.1.2.3",
        "fd00:1::1",
        "::ffff:10.1.2.3",
        "2606:4700::1",
    ]);
    prop_oneof![
        3 => known.prop_map(|text| text.parse().expect("an address")),
        1 => any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        1 => any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
    ]
}

fn a_seen() -> impl Strategy<Value = Seen> {
    let host = prop_oneof![
        a_name().prop_map(HttpHost::Name),
        an_address().prop_map(HttpHost::Address),
        Just(HttpHost::Absent)
    ];
    prop_oneof![
        Just(Seen::Nothing),
        (prop::option::of(a_name()), any::<bool>()).prop_map(|(sni, ech)| Seen::Tls { sni, ech }),
        (host, prop::option::of(a_port())).prop_map(|(host, port)| Seen::Http { host, port }),
        Just(Seen::Silent),
        Just(Seen::Opaque),
        Just(Seen::Unparsable("x".into())),
    ]
}

fn a_request() -> impl Strategy<Value = Request> {
    let target = prop_oneof![
        a_name().prop_map(Target::Lease),
        a_name().prop_map(Target::Named),
        an_address().prop_map(Target::Literal)
    ];
    (target, a_port(), a_seen()).prop_map(|(target, port, seen)| Request { target, port, seen })
}

fn policy(mode: &str, domains: &[String], ranges: &[String]) -> Rules {
    let text =
        format!("version: 1\nmode: {mode}\ndomains: [{}]\nip_ranges: [{}]\n", domains.join(", "), ranges.join(", "));
    Rules::from_text(&text, "x").expect(&text)
}

fn some_domains() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(a_domain(), 0..6)
}

fn some_ranges() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(a_range(), 0..4)
}

/// Denied, then peek, then allowed: what more rules may only raise.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Deny(_) | Verdict::Escalate(_) => 0,
        Verdict::Peek => 1,
        Verdict::Allow(_) => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsing_any_text_never_panics_and_what_parses_is_canonical(text in any::<String>()) {
        let _ = Pattern::parse(&text);
        let _ = bottle_policy::Host::parse_with_port(&text);
        let _ = Rules::allow_flags(&[&text]);
        let _ = Rules::from_text(&text, "x");
        if let Ok(name) = Name::parse(&text) {
            prop_assert_eq!(Name::parse(name.as_str()), Ok(name.clone()));
            prop_assert_eq!(Name::from_wire(name.as_str().as_bytes()), Ok(name.clone()));
            prop_assert!(name.as_str().parse::<IpAddr>().is_err());
        }
    }

    #[test]
    fn any_bytes_on_the_wire_are_a_canonical_name_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(name) = Name::from_wire(&bytes) {
            prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b)));
        }
    }

    #[test]
    fn no_number_is_ever_a_name(bits in any::<u32>(), dot in "\\.?") {
        let [a, b, c, d] = bits.to_be_bytes();
        for text in [format!("{bits}"), format!("{bits:#x}"), format!("0{bits:o}"), format!("{a}.{b}.{c}.{d}"),
            format!("{a:#x}.{b}.{c:#o}.0{d:o}"), format!("{a}.{}", bits & 0xff_ffff), format!("0x{a:X}.0X{b:x}.{c}.0x{d:x}")] {
            let text = text + &dot;
            prop_assert!(Name::parse(&text).is_err(), "{}", text);
            let canonical = text.parse::<Ipv4Addr>().is_ok();
            prop_assert_eq!(bottle_policy::Host::parse(&text).is_ok(), canonical, "{}", text);
        }
    }

    #[test]
    fn case_and_a_trailing_dot_do_not_matter(name in a_name(), pattern in a_pattern()) {
        let loud = name.as_str().to_uppercase() + ".";
        prop_assert_eq!(Name::parse(&loud), Ok(name.clone()));
        let quiet = Pattern::parse(&pattern).expect("a good pattern");
        let loud = Pattern::parse(&(pattern.to_uppercase() + ".")).expect("a good pattern");
        prop_assert_eq!(quiet.matches(&name), loud.matches(&name));
        prop_assert_eq!(quiet, loud);
    }

    #[test]
    fn deny_all_never_allows(request in a_request(), address in an_address()) {
        let rules = Rules::deny_all();
        prop_assert!(matches!(decide(&rules, &request), Verdict::Deny(_)));
        prop_assert!(check_addresses(&rules, &request, &[address]).is_err());
    }

    #[test]
    fn more_rules_never_turn_an_allow_into_a_deny(
        domains in some_domains(), ranges in some_ranges(), domain in a_domain(), range in a_range(),
        request in a_request(), address in an_address(), mode in prop::sample::select(vec!["enforce", "observe"]),
    ) {
        let few = policy(mode, &domains, &ranges);
        let more = few.clone().unite(policy(mode, &[domain], &[range])).expect("one mode");
        prop_assert!(rank(&decide(&more, &request)) >= rank(&decide(&few, &request)));
        let good = |rules: &Rules| check_addresses(rules, &request, &[address]).is_ok();
        prop_assert!(good(&more) >= good(&few));
    }

    #[test]
    fn a_rule_taken_away_allows_no_more_and_resolves_no_more(
        domains in prop::collection::vec(a_domain(), 1..6), ranges in some_ranges(), which in any::<prop::sample::Index>(),
        request in a_request(), address in an_address(), mode in prop::sample::select(vec!["enforce", "observe"]),
    ) {
        let all = policy(mode, &domains, &ranges);
        let (mut fewer, mut narrower) = (domains.clone(), ranges.clone());
        let which = which.index(domains.len() + ranges.len());
        if which < domains.len() { drop(fewer.remove(which)) } else { drop(narrower.remove(which - domains.len())) }
        let few = policy(mode, &fewer, &narrower);
        prop_assert!(rank(&decide(&few, &request)) <= rank(&decide(&all, &request)));
        prop_assert!(check_addresses(&few, &request, &[address]).is_err() || check_addresses(&all, &request, &[address]).is_ok());
        if let Target::Lease(name) | Target::Named(name) = &request.target {
            prop_assert!(resolvable(&few, name).is_err() || resolvable(&all, name).is_ok());
        }
    }

    #[test]
    fn observing_denies_nothing_that_enforcing_allows(
        domains in some_domains(), ranges in some_ranges(), request in a_request(), address in an_address(),
    ) {
        let (enforced, observed) = (policy("enforce", &domains, &ranges), policy("observe", &domains, &ranges));
        prop_assert!(rank(&decide(&observed, &request)) >= rank(&decide(&enforced, &request)));
        prop_assert!(check_addresses(&enforced, &request, &[address]).is_err() || check_addresses(&observed, &request, &[address]).is_ok());
    }

    #[test]
    fn every_spelling_of_a_name_gets_one_answer(
        domains in some_domains(), written in a_name(), asked in a_name(), spelled in a_spelling(), request in a_request(),
    ) {
        let domain = |name: &str| format!("{{pattern: '*.{name}', ports: [443], protocol: tcp}}");
        let plain = policy("enforce", &[domains.clone(), vec![domain(written.as_str())]].concat(), &[]);
        let other = policy("enforce", &[domains, vec![domain(&spelled(&written))]].concat(), &[]);
        prop_assert_eq!(plain.digest(), other.digest());
        let again = Name::parse(&spelled(&asked)).expect("a spelling of a name");
        prop_assert_eq!(&again, &asked);
        let to = |name: Name| Request { target: Target::Lease(name), ..request.clone() };
        prop_assert_eq!(decide(&plain, &to(asked.clone())), decide(&other, &to(again)));
        let by_hand = why::ask(&format!("{}:443", spelled(&asked))).expect("a destination");
        prop_assert_eq!(by_hand, Request { target: Target::Lease(asked), port: 443, seen: Seen::Nothing });
    }

    #[test]
    fn an_allow_is_backed_by_a_rule_that_matches(domains in some_domains(), request in a_request()) {
        let rules = policy("enforce", &domains, &[]);
        let verdict = decide(&rules, &request);
        let (Target::Lease(name) | Target::Named(name)) = &request.target else {
            prop_assert!(matches!(verdict, Verdict::Deny(_)));
            return Ok(());
        };
        let backed = rules.domains().iter().any(|rule| rule.pattern.matches(name) && rule.ports.contains(request.port));
        prop_assert!(backed || matches!(verdict, Verdict::Deny(_)));
        let tcp = rules.domains().iter().any(|rule| {
            rule.protocol == Protocol::Tcp && rule.pattern.matches(name) && rule.ports.contains(request.port)
        });
        if request.seen == Seen::Nothing && request.port != 853 {
            prop_assert_eq!(matches!(verdict, Verdict::Allow(_)), tcp);
            prop_assert_eq!(matches!(verdict, Verdict::Peek), backed && !tcp);
        }
    }

    #[test]
    fn what_is_allowed_shows_no_other_name(domains in some_domains(), request in a_request()) {
        let rules = policy("enforce", &domains, &[]);
        if let (Verdict::Allow(_), Target::Lease(name) | Target::Named(name)) = (decide(&rules, &request), &request.target) {
            match &request.seen {
                Seen::Tls { sni: Some(shown), .. } | Seen::Http { host: HttpHost::Name(shown), .. } => prop_assert_eq!(shown, name),
                Seen::Unparsable(_) | Seen::Http { host: HttpHost::Address(_), .. } => prop_assert!(false, "{:?}", request),
                _ => {}
            }
        }
    }

    #[test]
    fn what_is_not_denied_is_resolvable(domains in some_domains(), request in a_request()) {
        let rules = policy("enforce", &domains, &[]);
        if let Target::Lease(name) | Target::Named(name) = &request.target
            && !matches!(decide(&rules, &request), Verdict::Deny(_)) {
                prop_assert_eq!(resolvable(&rules, name), Ok(()));
        }
    }

    #[test]
    fn order_does_not_change_meaning(mut domains in some_domains(), mut ranges in some_ranges(), request in a_request()) {
        let one = policy("enforce", &domains, &ranges);
        domains.reverse();
        ranges.reverse();
        let other = policy("enforce", &domains, &ranges);
        prop_assert_eq!(one.digest(), other.digest());
        prop_assert_eq!(rank(&decide(&one, &request)), rank(&decide(&other, &request)));
    }

    #[test]
    fn the_canonical_form_decides_alike(domains in some_domains(), ranges in some_ranges(), request in a_request()) {
        let before = policy("enforce", &domains, &ranges);
        let after = Rules::from_canonical(&before.to_canonical()).expect("what was written is read");
        prop_assert_eq!(decide(&before, &request), decide(&after, &request));
    }

    #[test]
    fn no_policy_reaches_the_host_itself(domains in some_domains(), ranges in some_ranges(), request in a_request(), low in any::<u32>()) {
        let v4 = Ipv4Addr::from_bits(0x7f00_0000 | low & 0xff_ffff);
        for rules in [policy("enforce", &domains, &ranges), policy("observe", &domains, &ranges)] {
            for address in [IpAddr::V4(v4), IpAddr::V6(v4.to_ipv6_mapped()), IpAddr::V6(v4.to_ipv6_compatible()), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                prop_assert!(check_addresses(&rules, &request, &[address]).is_err());
                let literal = Request { target: Target::Literal(address), ..request.clone() };
                prop_assert!(matches!(decide(&rules, &literal), Verdict::Deny(_)));
            }
        }
    }

    #[test]
    fn the_hosts_loopback_is_reached_only_at_ports_that_a_rule_lists_for_its_name(
        ports in prop::collection::vec(a_port(), 1..3), wide in prop::sample::select(vec!["*.internal", ".internal", "a.example"]),
        protocol in prop::sample::select(vec!["auto", "tls", "http", "tcp"]), request in a_request(), address in an_address(),
        host in prop::sample::select(vec!["host.bottle.internal", "x.bottle.internal", "bottle.internal", "host.internal", "a.example"]),
        mode in prop::sample::select(vec!["enforce", "observe"]), loopback in prop::sample::select(this_host::LOOPBACK.to_vec()),
    ) {
        let listed = format!("{{pattern: host.bottle.internal, ports: {ports:?}, protocol: {protocol}}}");
        let rules = policy(mode, &[listed, format!("{{pattern: '{wide}', protocol: tcp, allow_private: true}}")], &[]);
        let name = Name::parse(host).expect("a name");
        let request = Request { target: Target::Lease(name.clone()), ..request };
        let reached = |address| check_addresses(&rules, &request, &[address]).is_ok();
        prop_assert!(!reached(loopback) || name.is_this_host() && ports.contains(&request.port));
        prop_assert!(!name.is_this_host() || !reached(address) || this_host::LOOPBACK.contains(&address));
        if name.is_this_host() && !ports.contains(&request.port) {
            prop_assert!(matches!(decide(&rules, &request), Verdict::Deny(_)));
        }
    }

    #[test]
    fn the_suggested_edit_changes_the_answer(domains in some_domains(), ranges in some_ranges(), request in a_request()) {
        let rules = policy("enforce", &domains, &ranges);
        let Some(edit) = why::why(&rules, &request).edit else { return Ok(()) };
        let added = match &edit {
            why::Edit::AddDomain { name, port, protocol } => policy("enforce", &[format!("{{pattern: '{name}', ports: [{port}], protocol: {protocol}}}")], &[]),
            why::Edit::AddRange { cidr, port } => policy("enforce", &[], &[format!("{{cidr: '{cidr}', ports: [{port}]}}")]),
            _ => return Ok(()),
        };
        let more = rules.unite(added).expect("one mode");
        match decide(&more, &request) {
            Verdict::Deny(Reason::NameMismatch | Reason::NoName | Reason::Unparsable) => {}
            Verdict::Deny(reason) => prop_assert!(false, "{:?} did not help {:?}: {:?}", edit, request, reason),
            _ => {}
        }
    }

    #[test]
    fn an_address_is_leased_to_one_name(key in any::<[u8; 32]>(), names in prop::collection::hash_set(a_name(), 0..20)) {
        let leases = Leases::new(key, lease::POOL);
        for name in &names {
            let address = leases.lease(name).expect("room");
            prop_assert_eq!(leases.name(address), Some(name.clone()));
        }
        prop_assert_eq!(leases.len(), names.len());
    }
}
