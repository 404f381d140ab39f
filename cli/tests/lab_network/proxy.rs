//! Does the explicit proxy serve programs that insist on one, by the same rules? (W2, W3)

use crate::world::World;

/// What a script may use: one CONNECT, its status and the stream.
const CONNECT: &str = "
def connect(target):
    stream = tcp('28.0.0.1', 3128)
    stream.sendall(f'CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n'.encode())
    head = b''
    while b'\\r\\n\\r\\n' not in head:
        piece = stream.recv(1)
        if not piece: break
        head += piece
    return status(head.decode()), stream
";

#[test]
fn the_proxys_variables_are_set_only_when_asked_for() {
    let world = World::new();
    let show = ["sh", "-c", "env | grep -i _proxy | cut -d= -f1 | sort | tr '\\n' ' '"];
    assert_eq!(world.bottle(&[]).run(&show).ok(), "");
    let shown = world.bottle(&["--proxy-env"]).run(&show);
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"] {
        assert!(shown.ok().split(' ').any(|shown| shown == name), "{name}: {}", shown.out);
    }
}

#[test]
fn curl_goes_through_the_proxy_when_it_is_set() {
    let world = World::new();
    let bottle = world.bottle(&["--proxy-env", "--allow", "api.allowed.example", "--allow", "http://web.lab.example"]);
    let run =
        bottle.run(&["sh", "-c", "curl -sv https://api.allowed.example/a 2>&1; curl -sS http://web.lab.example/b"]);
    assert!(run.ok().contains("CONNECT api.allowed.example:443") && run.out.contains(r#""path":"/a""#), "{}", run.out);
    assert!(run.out.contains(r#""path":"/b""#), "{}", run.out);
    assert_eq!(run.log.decisions().count(), 2);
    let plain =
        world.lab.received("web").unwrap().into_iter().flat_map(|got| got.requests).find(|got| got.target == "/b");
    let headers = plain.unwrap().headers;
    assert!(!headers.iter().any(|(name, _)| name.starts_with("proxy-")), "{headers:?}");
}

#[test]
fn a_connect_that_is_denied_gets_403_and_one_that_is_unreachable_502() {
    let names =
        ["--allow", "unreachable.lab.example", "--allow", "failure.lab.example", "--allow", "private.lab.example"];
    let world = World::new();
    let script = format!(
        "{CONNECT}
for name in 'evil.attacker.example', '11.1.0.1', '[2600:db:1::1]', 'private.lab.example':
    print(name, connect(name + ':443')[0])
for name in 'unreachable.lab.example', 'failure.lab.example':
    print(name, connect(name + ':443')[0])"
    );
    let (said, run) = world.bottle(&names).python(&script);
    assert!(said[..4].iter().all(|line| line.ends_with(" 403")), "{said:?}");
    assert!(said[4..].iter().all(|line| line.ends_with(" 502")), "{said:?}");
    assert_eq!(run.log.attempts().len(), 6);
    let asked: Vec<String> = world.lab.dns_queries().unwrap().into_iter().map(|query| query.name).collect();
    assert!(!asked.iter().any(|name| name == "evil.attacker.example"));
}

#[test]
fn a_connect_that_names_nothing_is_recorded_as_unparsable() {
    let world = World::new();
    let script = format!("{CONNECT}\nprint(connect('2130706433:443')[0], connect('user@api.allowed.example:443')[0])");
    let (said, run) = world.allow(&["api.allowed.example"]).python(&script);
    assert_eq!(said, ["400 400"]);
    assert_eq!(run.log.reasons(), ["unparsable"; 2]);
}

#[test]
fn plain_http_gets_405_unless_a_rule_says_http() {
    let world = World::new();
    let script = "for name in 'api.allowed.example', 'web.lab.example', 'evil.attacker.example':
    print(status(say(tcp('28.0.0.1', 3128), f'GET http://{name}/ HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n')))";
    let (said, run) = world.allow(&["api.allowed.example", "http://web.lab.example"]).python(script);
    assert_eq!(said, ["405", "200", "405"]);
    assert_eq!(run.log.attempts().len(), 3);
    assert_eq!(world.lab.received("web").unwrap().len(), 1);
}

#[test]
fn what_a_tunnel_carries_must_be_for_the_name_that_it_was_opened_for() {
    let world = World::new();
    let script = format!(
        "{CONNECT}
for name in 'api.allowed.example', 'evil.attacker.example', None:
    said, stream = connect('api.allowed.example:443')
    print(said, end(lambda: status(say(tls(stream, name), get('api.allowed.example')))))
said, stream = connect('api.allowed.example:443')
print(said, status(say(stream, get('api.allowed.example'))))"
    );
    let (said, run) = world.allow(&["api.allowed.example"]).python(&script);
    assert_eq!(said, ["200 200", "200 ECONNRESET", "200 200", "200 ECONNRESET"]);
    assert_eq!(run.log.reasons(), ["name-mismatch", "not-tls"]);
    for got in world.lab.received("web").unwrap() {
        assert_ne!(got.server_name.as_deref(), Some("evil.attacker.example"));
    }
}

#[test]
fn a_tunnel_carries_a_banner_where_a_rule_says_tcp() {
    let world = World::new();
    let script = format!(
        "{CONNECT}\nsaid, stream = connect('ssh.lab.example:22')\nprint(said, stream.recv(64).decode().strip())"
    );
    let (said, _) = world.allow(&["tcp://ssh.lab.example:22"]).python(&script);
    assert_eq!(said, ["200 SSH-2.0-lab_1.0"]);
}

#[test]
fn the_proxy_forwards_nothing_to_itself_or_to_the_bottles_own_addresses() {
    let world = World::new();
    let script = format!(
        "{CONNECT}
for target in '28.0.0.1:3128', '28.0.0.1:53', '127.0.0.1:15001', 'localhost:3128', '_egress.local:80', '[::1]:15001', '28.0.0.2:80':
    print(connect(target)[0])"
    );
    let (said, _) = world.bottle(&["--allow-all"]).python(&script);
    assert!(said.iter().all(|status| matches!(status.as_str(), "403" | "400")), "{said:?}");
}
