//! Which name is a connection for? The lease, CONNECT, SNI and Host must agree, however they are spelled or cut up. (E3)

use crate::world::{Run, World};

/// The denials of a run, and that only `api.allowed.example` was ever served.
fn only_the_allowed_was_served(world: &World, run: &Run) -> Vec<String> {
    for got in world.lab.received("web").unwrap() {
        assert!(got.requests.iter().all(|request| request.host == "api.allowed.example"), "{got:#?}");
        assert!(matches!(got.server_name.as_deref(), None | Some("api.allowed.example")), "{got:#?}");
    }
    run.log.reasons()
}

#[test]
fn a_server_name_that_is_not_the_leased_one_is_reset_and_not_dialled() {
    let world = World::new();
    let script = "print(https('api.allowed.example', name='evil.attacker.example'))
print(https('api.allowed.example', name='web.lab.example'))";
    let (said, run) = world.allow(&["api.allowed.example", "web.lab.example"]).python(script);
    assert_eq!(said, ["ECONNRESET"; 2]);
    assert_eq!(run.log.reasons(), ["name-mismatch"; 2]);
    assert!(world.lab.dns_queries().unwrap().is_empty() && world.lab.received("web").unwrap().is_empty());
}

#[test]
fn tls_without_a_server_name_goes_to_the_leased_name() {
    let world = World::new();
    let script = "print(https('api.allowed.example', name=None), https('11.1.0.1', name=None))";
    let (said, run) = world.allow(&["api.allowed.example"]).python(script);
    assert_eq!(said, ["200 ECONNRESET"]);
    assert_eq!(run.log.reasons(), ["literal-address"]);
}

#[test]
fn a_hello_in_single_bytes_or_many_records_is_understood() {
    let world = World::new();
    let script = "
def hello(name):
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(into, out, server_hostname=name)
    try: session.do_handshake()
    except ssl.SSLWantReadError: pass
    return out.read()
def records(bytes):
    body = bytes[5:]
    return b''.join(b'\\x16\\x03\\x01' + struct.pack('>H', len(body[at:at + 7])) + body[at:at + 7] for at in range(0, len(body), 7))
def first(name, cut, host='api.allowed.example'):
    stream = tcp(host, 443)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    def talk():
        for piece in cut(hello(name)): stream.sendall(piece)
        return stream.recv(1)[0]
    return end(talk)
bytewise = lambda whole: [whole[at:at + 1] for at in range(len(whole))]
many = lambda whole: [records(whole)]
for cut in bytewise, many:
    print(first('api.allowed.example', cut), first('evil.attacker.example', cut))";
    let (said, run) = world.allow(&["api.allowed.example"]).python(script);
    let denied = |line: &String| line.starts_with("22 ") && (line.ends_with("ECONNRESET") || line.ends_with("EPIPE"));
    assert!(said.len() == 2 && said.iter().all(denied), "{said:?}");
    assert_eq!(run.log.reasons(), ["name-mismatch"; 2]);
}

#[test]
fn plain_http_passes_only_where_a_rule_says_http() {
    let world = World::new();
    let script = "print(http('api.allowed.example'))";
    let (said, run) = world.allow(&["http://api.allowed.example"]).python(script);
    assert_eq!((said.as_slice(), run.log.reasons()), (["200".to_owned()].as_slice(), vec![]));
    let auto = "domains:\n  - pattern: \"api.allowed.example\"\n";
    let (said, run) = world.policy(auto).python(script);
    assert_eq!((said.as_slice(), run.log.reasons()), (["ECONNRESET".to_owned()].as_slice(), vec!["not-tls".into()]));
    assert!(run.err.contains("http://api.allowed.example"), "{}", run.err);
    assert_eq!(world.lab.received("web").unwrap().len(), 1);
}

#[test]
fn tls_does_not_pass_where_a_rule_says_http() {
    let world = World::new();
    let (said, run) = world.allow(&["http://api.allowed.example:443"]).python("print(https('api.allowed.example'))");
    assert_eq!(said, ["ECONNRESET"]);
    assert_eq!(run.log.reasons(), ["not-http"]);
}

#[test]
fn each_request_of_a_kept_connection_is_judged() {
    let world = World::new();
    let script = "
for second in 'api.allowed.example', 'evil.attacker.example', 'web.lab.example':
    stream = tcp('api.allowed.example', 80)
    stream.sendall(b'GET /first HTTP/1.1\\r\\nHost: api.allowed.example\\r\\n\\r\\n')
    assert b'/first' in stream.recv(65536)
    print(status(say(stream, get(second))))";
    let (said, run) = world.allow(&["http://api.allowed.example", "http://web.lab.example"]).python(script);
    assert_eq!(said, ["200", "ECONNRESET", "ECONNRESET"]);
    assert_eq!(only_the_allowed_was_served(&world, &run), ["name-mismatch"; 2]);
    let requests: usize = world.lab.received("web").unwrap().iter().map(|got| got.requests.len()).sum();
    assert_eq!(requests, 4);
}

#[test]
fn requests_that_two_readers_would_read_differently_are_refused() {
    let world = World::new();
    let script = "
a, e = 'Host: api.allowed.example\\r\\n', 'Host: evil.attacker.example\\r\\n'
for head in (
    'GET / HTTP/1.1\\r\\n' + a + e,
    'GET / HTTP/1.1\\r\\n' + a + ' folded: 1\\r\\n',
    'GET http://evil.attacker.example/ HTTP/1.1\\r\\n' + a,
    'GET / HTTP/1.1\\r\\n' + a + 'Content-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n',
    'GET / HTTP/1.1\\r\\n' + a + 'Content-Length: 4\\r\\nContent-Length: 5\\r\\n',
    'GET / HTTP/1.1\\r\\nHost : api.allowed.example\\r\\n',
    'GET / HTTP/1.1\\nHost: evil.attacker.example\\n',
    'GET / HTTP/1.1\\r\\n',
    'PRI * HTTP/2.0\\r\\n',
):
    print(status(say(tcp('api.allowed.example', 80), head + '\\r\\n')))";
    let (said, run) = world.allow(&["http://api.allowed.example"]).python(script);
    assert_eq!(said, ["ECONNRESET"; 9], "{:?}", run.log.reasons());
    assert!(world.lab.received("web").unwrap().is_empty());
}

#[test]
fn a_websocket_works_over_plain_http_and_over_tls() {
    let world = World::new();
    let script = "
head = 'GET /ws HTTP/1.1\\r\\nHost: web.lab.example\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n'
def talk(stream):
    stream.sendall(head.encode())
    answer = b''
    while not answer.endswith(b'\\r\\n\\r\\n'): answer += stream.recv(1)
    message, key = b'over the wire', os.urandom(4)
    stream.sendall(bytes([0x81, 0x80 | len(message)]) + key + bytes(c ^ key[i % 4] for i, c in enumerate(message)))
    length = stream.recv(2)[1]
    return answer.split()[1].decode(), stream.recv(length).decode()
print(*talk(tcp('web.lab.example', 80)))
print(*talk(tls(tcp('web.lab.example', 443), 'web.lab.example')))";
    let (said, _) = world.allow(&["http://web.lab.example", "web.lab.example"]).python(script);
    assert_eq!(said, ["101 over the wire"; 2]);
}

#[test]
fn names_match_in_any_case_and_below_a_wildcard_only() {
    let world = World::new();
    let script = "for name in 'API.Allowed.Example', 'a.b.allowed.example', 'allowed.example', 'notallowed.example':
    print(https(name))";
    let (said, _) = world.allow(&["*.allowed.example"]).python(script);
    assert_eq!(said, ["200", "200", "NONAME", "NONAME"]);
    let (said, _) = world.allow(&[".allowed.example"]).python(script);
    assert_eq!(said, ["200", "200", "200", "NONAME"]);
}
