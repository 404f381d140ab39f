//! What of the host itself can be reached: its loopback by one name, and the proxy that it dials through?

use super::*;

fn this_host(mode: &str) -> Rules {
    let text = format!(
        "version: 1\nmode: {mode}\ndomains:\n  - {{ pattern: host.bottle.internal, ports: [5432], protocol: tcp }}\n  \
         - {{ pattern: host.bottle.internal, ports: [11434], protocol: http }}\n  - {{ pattern: '*.internal', protocol: tcp }}\n"
    );
    Rules::from_text(&text, "agent.yaml").expect("a good policy")
}

#[test]
fn the_hosts_loopback_is_reached_at_the_listed_ports_by_the_rules_protocol() {
    for mode in ["enforce", "observe"] {
        let rules = this_host(mode);
        let verdict = |port, seen| decide(&rules, &to("Host.Bottle.Internal", port, seen));
        assert!(matches!(verdict(5432, Seen::Nothing), Verdict::Allow(_)), "{mode}");
        assert_eq!(verdict(11434, Seen::Nothing), Verdict::Peek, "{mode}");
        assert!(matches!(verdict(11434, http("host.bottle.internal:11434")), Verdict::Allow(_)), "{mode}");
        assert_eq!(verdict(11434, http("localhost.example:11434")), Verdict::Deny(Reason::NameMismatch), "{mode}");
        assert_eq!(verdict(11434, Seen::Opaque), Verdict::Deny(Reason::NotHttp), "{mode}");
        assert_eq!(verdict(22, Seen::Nothing), Verdict::Deny(Reason::PortNotAllowed), "{mode}");
        assert_eq!(resolvable(&rules, &name("host.bottle.internal")), Ok(()), "{mode}");
    }
}

#[test]
fn no_wildcard_and_no_mode_reaches_the_hosts_loopback() {
    let wildcard = Rules::from_text("version: 1\ndomains: [{pattern: '*.internal', protocol: tcp}]\n", "x");
    for rules in [wildcard.expect("valid"), Rules::observe()] {
        assert_eq!(resolvable(&rules, &name("host.bottle.internal")), Err(Reason::NoRule));
        let asked = decide(&rules, &to("host.bottle.internal", 5432, Seen::Nothing));
        assert_eq!(asked, Verdict::Deny(Reason::NoRule));
    }
}

#[test]
fn the_hosts_loopback_is_two_addresses_and_no_other_name_has_them() {
    for mode in ["enforce", "observe"] {
        let rules = this_host(mode);
        let checked = |host, addresses: &[&str]| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|text| ip(text)).collect();
            check_addresses(&rules, &to(host, 5432, Seen::Nothing), &addresses)
        };
        assert_eq!(checked("host.bottle.internal", &["127.0.0.1", "::1"]), Ok(()));
        for other in ["127.0.0.2", "::ffff:127.0.0.1", "0.0.0.0", "11.0.0.1", "10.0.0.1", "169.254.169.254"] {
            assert_eq!(checked("host.bottle.internal", &["127.0.0.1", other]), Err(Reason::HostAddress), "{other}");
        }
        assert_eq!(checked("db.internal", &["127.0.0.1"]), Err(Reason::HostAddress));
    }
}

#[test]
fn the_upstream_proxy_itself_is_reached_only_by_a_rule_that_names_it_exactly() {
    let proxy = Host::parse("proxy.corp.example").expect("a name");
    let addresses = [ip("10.0.0.5"), ip("11.0.0.5")];
    let checked = |policy: &str, host: &str, port| {
        let rules = Rules::from_text(&format!("version: 1\n{policy}"), "x").expect(policy);
        check_proxy(&rules, &to(host, port, Seen::Nothing), &proxy, &addresses)
    };
    let wide =
        "domains: [{pattern: '*.corp.example', protocol: tcp}]\nip_ranges: [{cidr: 10.0.0.0/8}, {cidr: 11.0.0.0/24}]\n";
    for (policy, host) in [
        (wide, "Proxy.Corp.example."),
        (wide, "10.0.0.5"),
        (wide, "11.0.0.5"),
        (wide, "[::ffff:10.0.0.5]"),
        ("mode: observe\n", "proxy.corp.example"),
        ("mode: observe\n", "11.0.0.5"),
        // An exact rule that says TLS lets nobody speak to the proxy in plain bytes, whatever else allows that.
        ("mode: observe\ndomains: [{pattern: proxy.corp.example}]\n", "proxy.corp.example"),
        (
            "domains: [{pattern: proxy.corp.example}, {pattern: '*.corp.example', protocol: tcp}]\n",
            "proxy.corp.example",
        ),
        ("ip_ranges: [{cidr: '64:ff9b::/96'}]\n", "[64:ff9b::10.0.0.5]"),
    ] {
        assert_eq!(checked(policy, host, 3128), Err(Reason::UpstreamProxy), "{policy} {host}");
    }
    let exact = "domains: [{pattern: proxy.corp.example, ports: [3128], protocol: tcp}]\nip_ranges: [{cidr: 10.0.0.5, ports: [3128]}]\n";
    for host in ["proxy.corp.example", "10.0.0.5"] {
        assert_eq!(checked(exact, host, 3128), Ok(()), "{host}");
        assert_eq!(checked(exact, host, 22), Err(Reason::UpstreamProxy), "{host}");
    }
    assert_eq!(checked(wide, "other.corp.example", 3128), Ok(()));
    assert_eq!(checked(wide, "10.0.0.6", 3128), Ok(()));
}
