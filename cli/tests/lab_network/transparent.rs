//! Does all traffic land at the gate without any setting, whatever its address, port, family or protocol? (A1, A2)

use bottle_lab::addresses::{ATTACKER, FOREIGN_DNS, HOST, WEB, WEB_V6};

use crate::world::World;

const URL: &str = "https://api.allowed.example/v1";

#[test]
fn an_allowed_name_is_reached_over_tls_without_any_proxy_setting() {
    let world = World::new();
    let run = world.allow(&["api.allowed.example"]).run(&["sh", "-c", &format!("env | grep -i proxy; curl -sS {URL}")]);
    assert!(run.ok().starts_with(r#"{"host":"api.allowed.example""#), "{}", run.out);
    let (decision, outcome) = run.log.attempt();
    assert_eq!(decision.name.as_ref().unwrap().to_string(), "api.allowed.example");
    assert_eq!(outcome.upstream.map(|upstream| upstream == WEB || upstream == WEB_V6), Some(true));
    let got = world.lab.received("web").unwrap();
    assert_eq!((got.len(), got[0].server_name.as_deref()), (1, Some("api.allowed.example")));
}

#[test]
fn names_without_an_ipv4_address_are_reached_over_ipv6_and_the_other_way_round() {
    for (name, place) in [("v6only.lab.example", WEB_V6.into()), ("v4only.lab.example", std::net::IpAddr::from(WEB))] {
        let world = World::new();
        let run = world.allow(&[name]).run(&["curl", "-sS", &format!("https://{name}/")]);
        assert!(run.ok().contains(name));
        assert_eq!(run.log.attempt().1.upstream, Some(place));
    }
}

#[test]
fn a_literal_address_is_reset_without_a_packet() {
    let world = World::new();
    let places = [WEB.to_string(), WEB_V6.to_string(), HOST.to_string(), "8.8.8.8".into(), "1.1.1.1".into()];
    let calls: String =
        places.iter().map(|place| format!("print(https('{place}', name='api.allowed.example'))\n")).collect();
    let (said, run) = world.allow(&["api.allowed.example"]).python(&calls);
    assert_eq!(said, ["ECONNRESET"; 5]);
    assert_eq!(run.log.reasons()[..2], ["literal-address"; 2]);
    assert!(world.lab.dns_queries().unwrap().is_empty());
}

#[test]
fn every_port_of_every_address_ends_at_the_gate() {
    let world = World::new();
    let script = format!(
        "for address in '{ATTACKER}', '2600:db:6::6':
    print(*[end(lambda: tcp(address, port).recv(1)) for port in (1, 22, 25, 80, 123, 3128, 5432, 15001, 65535)])"
    );
    let (said, run) = world.bottle(&[]).python(&script);
    assert_eq!(said, ["ECONNRESET ".repeat(9).trim_end(); 2]);
    assert_eq!(run.log.decisions().count(), 18);
}

#[test]
fn a_query_to_any_resolver_is_answered_by_the_sinkhole_and_none_leaves() {
    let world = World::new();
    let script = format!(
        "for server in '{FOREIGN_DNS}', '8.8.8.8', '127.0.0.53', '127.0.0.11', '::1', '2001:4860:4860::8888':
    answer, denied = ask(server, 'web.lab.example'), ask(server, 'evil.attacker.example')
    print(code(answer), answer[-4], code(denied))"
    );
    let (said, run) = world.allow(&["web.lab.example"]).python(&script);
    assert_eq!(said, ["0 28 3"; 6]);
    assert!(world.lab.dns_queries().unwrap().is_empty());
    assert!(run.log.names_denied().iter().all(|name| name == "evil.attacker.example"));
}

#[test]
fn udp_is_refused_at_once_and_written_down() {
    let world = World::new();
    let script = format!(
        "for address in '{ATTACKER}', '2600:db:6::6', '224.0.0.251', '255.255.255.255':
    print(*[end(datagram, address, port) for port in (443, 123, 9999)])"
    );
    let (said, run) = world.bottle(&[]).python(&script);
    for line in &said[..2] {
        assert_eq!(line, "EPERM EPERM EPERM", "{said:?}");
    }
    assert!(said[2..].iter().all(|line| !line.contains("TIMEOUT")), "{said:?}");
    let refused: u64 = run.log.end().refused.values().sum();
    assert!(refused >= 6, "{:?}", run.log.end().refused);
    let quic = run.log.refused().find(|refused| refused.port == Some(443)).unwrap();
    assert_eq!(quic.address, Some(ATTACKER.into()));
}

/// More at once than the gate's queue has room for. The last one waits until it is denied, and so are those before it.
#[test]
fn each_connection_of_a_scan_is_decided_refused_or_counted_as_never_decided() {
    let world = World::new();
    let script = format!(
        "from collections import deque
crowd = deque()
for port in range(20000, 50000):
    if len(crowd) == 800: crowd.popleft().close()
    one = socket.socket(); one.setblocking(False); one.connect_ex(('{ATTACKER}', port)); crowd.append(one)
end(tcp, '{ATTACKER}', 9)
names, values = [line.split() for line in open('/proc/net/netstat') if line.startswith('TcpExt:')]
print(values[names.index('TCPSynRetrans')])"
    );
    let (said, run) = world.bottle(&[]).python(&script);
    let tried_again: u64 = said[0].parse().unwrap();
    let row = |name: &str| run.log.end().refused.get(&name.into()).copied().unwrap();
    let counted = (run.log.decisions().count() as u64, row("flood"), row("unheard"), row("undecided"));
    let (decided, flood, unheard, undecided) = counted;
    // A connection that is slow to be refused is tried again by its kernel, and may be counted once more each time.
    let all = decided + flood + unheard + undecided;
    let most = 30_001 + tried_again;
    assert!((30_000..=most).contains(&all) && decided > 0, "decided, flood, unheard, undecided: {counted:?} of {most}");
}

#[test]
fn a_client_that_tries_http3_first_falls_back_at_once() {
    let world = World::new();
    let script = "first = end(datagram, socket.gethostbyname('api.allowed.example'), 443, b'\\xc0' + bytes(1199))
print(first, https('api.allowed.example'))";
    let (said, _) = world.allow(&["api.allowed.example"]).python(script);
    assert_eq!(said, ["EPERM 200"]);
}
