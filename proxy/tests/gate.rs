//! Does the gate let through what is allowed, byte for byte, and nothing else? Over loopback, with a scripted dialler.

#[path = "support/hello.rs"]
#[allow(dead_code, reason = "the parsers' tests use the rest")]
mod hello;
#[path = "support/gate.rs"]
mod support;

use std::io::ErrorKind;
use std::time::Duration;

use bottle_policy::{Name, Reason, Seen, Target};
use bottle_proxy::gate::Limits;
use bottle_proxy::{Ended, RefusalKind, Way};
use hello::Hello;
use support::{Answer, Bench, Peer, limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn tls_for_the_leased_name_goes_through_byte_for_byte() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("api.example.com", 443).await;
    let hello = Hello::to("api.example.com").records();
    for byte in hello.chunks(1) {
        client.write_all(byte).await.expect("sent");
    }
    let mut server = bench.accept().await;
    assert_eq!(server.take(hello.len()).await, hello);
    server.stream.write_all(b"answer").await.expect("sent");
    server.stream.shutdown().await.expect("shut");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("read");
    assert_eq!(answer, b"answer");
    client.write_all(b"more").await.expect("sent");
    client.shutdown().await.expect("shut");
    assert_eq!(server.rest().await, b"more");
    let outcome = bench.outcome().await;
    assert_eq!((outcome.ended, outcome.bytes_up, outcome.bytes_down), (Ended::Closed, hello.len() as u64 + 4, 6));
    assert_eq!(outcome.upstream, Some(bench.server()));
    let attempt = bench.attempts().remove(0);
    assert_eq!(attempt.request.target, Target::Lease(Name::parse("api.example.com").expect("a name")));
    assert!(matches!(attempt.request.seen, Seen::Tls { .. }));
}

#[tokio::test]
async fn a_name_that_no_rule_has_is_reset_at_once() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("evil.example", 443).await;
    assert_eq!(support::reset(&mut client).await, ErrorKind::ConnectionReset);
    let outcome = bench.outcome().await;
    assert_eq!((outcome.ended, outcome.reason), (Ended::Refused, Some(Reason::NoRule)));
    assert_eq!(bench.attempts().len(), 1);
}

#[tokio::test]
async fn another_name_than_the_leased_one_is_reset() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("api.example.com", 443).await;
    client.write_all(&Hello::to("evil.example").records()).await.expect("sent");
    assert_eq!(support::reset(&mut client).await, ErrorKind::ConnectionReset);
    assert_eq!(bench.outcome().await.reason, Some(Reason::NameMismatch));
}

#[tokio::test]
async fn what_is_not_tls_is_reset_where_the_rule_wants_tls() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("api.example.com", 443).await;
    client.write_all(b"SSH-2.0-x y\r\n").await.expect("sent");
    assert_eq!(support::reset(&mut client).await, ErrorKind::ConnectionReset);
    assert_eq!(bench.outcome().await.reason, Some(Reason::NotTls));
}

#[tokio::test]
async fn an_address_without_a_lease_is_a_literal() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect_to("11.2.3.4:443").await;
    assert_eq!(support::reset(&mut client).await, ErrorKind::ConnectionReset);
    assert_eq!(bench.outcome().await.reason, Some(Reason::LiteralAddress));
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_at_once() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("db.example.com", 5432).await;
    let mut server = bench.accept().await;
    server.stream.write_all(b"SSH-2.0-server\r\n").await.expect("sent");
    let mut greeting = [0; 16];
    client.read_exact(&mut greeting).await.expect("read");
    client.write_all(b"\0\0\0\x08anything").await.expect("sent");
    assert_eq!(server.take(12).await, b"\0\0\0\x08anything");
}

#[tokio::test]
async fn late_first_bytes_that_show_another_name_never_go_on() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("db.example.com", 5432).await;
    let mut server = bench.accept().await;
    server.stream.write_all(b"hello").await.expect("sent");
    client.read_exact(&mut [0; 5]).await.expect("read");
    client.write_all(&Hello::to("evil.example").records()).await.expect("sent");
    assert_eq!(support::reset(&mut client).await, ErrorKind::ConnectionReset);
    assert_eq!(server.broken().await, ErrorKind::ConnectionReset);
    let outcome = bench.outcome().await;
    assert_eq!((outcome.ended, outcome.reason, outcome.bytes_up), (Ended::Refused, Some(Reason::NameMismatch), 0));
}

#[tokio::test]
async fn half_of_a_late_hello_never_goes_on() {
    let bench = Bench::new(Limits { first_bytes: Duration::from_millis(100), ..limits() }).await;
    let mut client = bench.connect("db.example.com", 5432).await;
    let mut server = bench.accept().await;
    let hello = Hello::to("evil.example").records();
    client.write_all(&hello[..hello.len() / 2]).await.expect("sent");
    assert_eq!(server.broken().await, ErrorKind::ConnectionReset);
    assert_eq!(bench.outcome().await.bytes_up, 0);
}

#[tokio::test]
async fn a_client_that_only_listens_may_close_its_half() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("db.example.com", 5432).await;
    client.shutdown().await.expect("shut");
    let mut server = bench.accept().await;
    assert_eq!(server.rest().await, b"");
    server.stream.write_all(b"all of it").await.expect("sent");
    drop(server);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("read");
    assert_eq!(answer, b"all of it");
    assert_eq!(bench.outcome().await.ended, Ended::Closed);
}

#[tokio::test]
async fn a_reset_of_one_side_is_a_reset_of_the_other() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("db.example.com", 5432).await;
    let mut server = bench.accept().await;
    client.write_all(b"\0").await.expect("sent");
    server.take(1).await;
    server.stream.set_zero_linger().expect("an option");
    drop(server);
    assert_eq!(support::reset(&mut client).await, ErrorKind::ConnectionReset);
    assert_eq!(bench.outcome().await.ended, Ended::Reset);
}

#[tokio::test]
async fn bulk_arrives_whole_in_both_directions_at_once() {
    const SIZE: usize = 24 << 20;
    let bench = Bench::new(limits()).await;
    let client = bench.connect("db.example.com", 5432).await;
    let server = bench.accept().await.stream;
    let bulk = |salt: u32| {
        (0..SIZE as u32).map(|at| (at.wrapping_mul(2_654_435_761).wrapping_add(salt) >> 24) as u8).collect::<Vec<u8>>()
    };
    let (up, down) = (bulk(0), bulk(1));
    let exchange = |stream: tokio::net::TcpStream, out: Vec<u8>| async move {
        let (mut reading, mut writing) = stream.into_split();
        let sender = tokio::spawn(async move {
            // The first byte decides what it is: nothing that looks like TLS or HTTP.
            writing.write_all(&[0]).await.expect("sent");
            writing.write_all(&out).await.expect("sent");
            writing.shutdown().await.expect("shut");
            writing
        });
        let mut got = Vec::new();
        reading.read_to_end(&mut got).await.expect("read");
        drop(sender.await.expect("sent"));
        got
    };
    let (at_client, at_server) = tokio::join!(exchange(client, up.clone()), exchange(server, down.clone()));
    assert!(at_server[1..] == up && at_client[1..] == down);
    let outcome = bench.outcome().await;
    assert_eq!((outcome.bytes_up, outcome.bytes_down), (SIZE as u64 + 1, SIZE as u64 + 1));
}

#[tokio::test]
async fn plain_requests_are_judged_one_by_one() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("web.example.com", 80).await;
    let good = b"GET /1 HTTP/1.1\r\nHost: web.example.com\r\n\r\n";
    client.write_all(good).await.expect("sent");
    let mut server = bench.accept().await;
    assert_eq!(server.take(good.len()).await, good);
    client.write_all(good).await.expect("sent");
    assert_eq!(server.take(good.len()).await, good);
    client.write_all(b"GET /2 HTTP/1.1\r\nHost: evil.example\r\n\r\n").await.expect("sent");
    assert_eq!(support::reset(&mut client).await, ErrorKind::ConnectionReset);
    assert_eq!(server.broken().await, ErrorKind::ConnectionReset);
    let outcome = bench.outcome().await;
    assert_eq!((outcome.reason, outcome.bytes_up), (Some(Reason::NameMismatch), 2 * good.len() as u64));
}

#[tokio::test]
async fn a_request_hidden_in_a_body_stays_a_body_and_one_after_it_is_judged() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("web.example.com", 80).await;
    let inner = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let outer = format!("POST / HTTP/1.1\r\nHost: web.example.com\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    client.write_all(format!("{outer}{inner}").as_bytes()).await.expect("sent");
    let mut server = bench.accept().await;
    assert_eq!(server.until_broken().await, outer.as_bytes());
    assert_eq!(bench.outcome().await.reason, Some(Reason::NameMismatch));
}

#[tokio::test]
async fn a_websocket_is_opaque_only_after_the_server_agreed() {
    const OFFER: &[u8] =
        b"GET / HTTP/1.1\r\nHost: web.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for (answer, agrees) in [("HTTP/1.1 101 Switching Protocols\r\n\r\n", true), ("HTTP/1.1 200 OK\r\n\r\n", false)] {
        let bench = Bench::new(limits()).await;
        let mut client = bench.connect("web.example.com", 80).await;
        client.write_all(&[OFFER, b"\x81\x02hi"].concat()).await.expect("sent");
        let mut server = bench.accept().await;
        assert_eq!(server.take(OFFER.len()).await, OFFER);
        server.stream.write_all(answer.as_bytes()).await.expect("sent");
        if agrees {
            assert_eq!(server.take(4).await, b"\x81\x02hi");
        } else {
            assert_eq!(server.broken().await, ErrorKind::ConnectionReset);
        }
    }
}

#[tokio::test]
async fn an_offer_of_http2_does_not_reach_the_server() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.connect("web.example.com", 80).await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: web.example.com\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        .await
        .expect("sent");
    let mut server = bench.accept().await;
    let expected = b"GET / HTTP/1.1\r\nHost: web.example.com\r\nConnection: \r\n\r\n";
    assert_eq!(server.take(expected.len()).await, expected);
}

#[tokio::test]
async fn connect_is_answered_by_what_became_of_it() {
    let cases = [
        ("evil.example:443", Answer::Decide, "HTTP/1.1 403 "),
        ("api.example.com:443", Answer::Refuse(RefusalKind::Unreachable), "HTTP/1.1 502 "),
        ("api.example.com:443", Answer::Refuse(RefusalKind::Unavailable), "HTTP/1.1 503 "),
        ("api.example.com:443", Answer::Refuse(RefusalKind::Denied), "HTTP/1.1 403 "),
        ("api.example.com:443", Answer::Decide, "HTTP/1.1 200 "),
        ("2130706433:443", Answer::Decide, "HTTP/1.1 400 "),
        ("user@api.example.com:443", Answer::Decide, "HTTP/1.1 400 "),
    ];
    for (host, answer, expected) in cases {
        let bench = Bench::with(limits(), answer).await;
        let reply = bench.ask(&format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert!(reply.starts_with(expected), "{host}: {reply}");
        assert_eq!(bench.attempts().len(), 1, "{host}");
    }
}

#[tokio::test]
async fn a_tunnel_carries_only_what_its_connect_promised() {
    let bench = Bench::new(limits()).await;
    let (mut client, mut server) = bench.tunnel("api.example.com:443").await;
    let hello = Hello::to("api.example.com").records();
    client.write_all(&hello).await.expect("sent");
    assert_eq!(server.take(hello.len()).await, hello);
    for wrong in [
        Hello::to("evil.example").records(),
        b"SSH-2.0-x y\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec(),
    ] {
        let (mut client, mut server) = bench.tunnel("api.example.com:443").await;
        client.write_all(&wrong).await.expect("sent");
        assert_eq!(server.broken().await, ErrorKind::ConnectionReset);
        assert_eq!(bench.outcome().await.bytes_up, 0);
    }
    assert!(
        bench.attempts().iter().all(|attempt| attempt.way == Way::Connect && attempt.request.seen == Seen::Nothing)
    );
}

#[tokio::test]
async fn plain_http_by_the_proxy_is_refused_unless_a_rule_says_http() {
    let bench = Bench::new(limits()).await;
    let reply = bench.ask("GET http://api.example.com:443/ HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 405 "), "{reply}");
    let reply = bench.ask("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 405 "), "{reply}");
    let reply = bench.ask("GET / HTTP/1.1\r\nHost: web.example.com\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
}

#[tokio::test]
async fn plain_http_that_no_http_rule_would_change_is_forbidden() {
    for reason in [Reason::PrivateAddress, Reason::Limit, Reason::NameMismatch, Reason::DohEndpoint] {
        let bench = Bench::with(limits(), Answer::Deny(reason)).await;
        let reply = bench.ask("GET http://web.example.com/ HTTP/1.1\r\nHost: web.example.com\r\n\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 403 "), "{reply}");
    }
}

#[tokio::test]
async fn plain_http_by_the_proxy_carries_one_request() {
    let bench = Bench::new(limits()).await;
    let mut client = bench.proxy().await;
    let request = "POST http://web.example.com/p HTTP/1.1\r\nHost: web.example.com\r\nContent-Length: 2\r\n\r\nhiGET http://evil.example/ HTTP/1.1\r\n\r\n";
    client.write_all(request.as_bytes()).await.expect("sent");
    let mut server = bench.accept().await;
    let expected = b"POST /p HTTP/1.1\r\nHost: web.example.com\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(server.take(expected.len()).await, expected);
    server.stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfine").await.expect("sent");
    drop(server);
    assert_eq!(support::all(&mut client).await, b"HTTP/1.1 200 OK\r\n\r\nfine");
    assert_eq!(bench.outcome().await.ended, Ended::Closed);
}

#[tokio::test]
async fn the_gate_answers_a_challenge_itself() {
    let bench = Bench::new(limits()).await;
    let challenge = "aa".repeat(32);
    let reply = bench
        .ask(&format!("GET http://_egress.local/challenge/{challenge} HTTP/1.1\r\nHost: _egress.local\r\n\r\n"))
        .await;
    let expected = bottle_proxy::gate::ChallengeKey::new([9; 32]).answer(&challenge).expect("64 digits");
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.ends_with(&expected), "{reply}");
    let reply = bench.ask("GET http://_egress.local/other HTTP/1.1\r\nHost: _egress.local\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
    assert!(bench.attempts().is_empty());
}

#[tokio::test]
async fn drain_denies_what_is_pending_and_lets_the_rest_finish() {
    let bench = Bench::new(limits()).await;
    let mut running = bench.connect("db.example.com", 5432).await;
    let mut server = bench.accept().await;
    let mut pending = bench.connect("api.example.com", 443).await;
    bench.settle().await;
    bench.gate.drain();
    assert_eq!(support::reset(&mut pending).await, ErrorKind::ConnectionReset);
    assert_eq!(bench.outcome().await.reason, Some(Reason::Unavailable));
    running.write_all(b"\0end").await.expect("sent");
    assert_eq!(server.take(4).await, b"\0end");
    drop((running, server));
    bench.outcome().await;
    bench.finished().await;
}

#[tokio::test]
async fn cut_resets_both_sides_of_everything() {
    let bench = Bench::new(limits()).await;
    let mut clients = Vec::new();
    let mut servers: Vec<Peer> = Vec::new();
    for _ in 0..20 {
        let mut client = bench.connect("db.example.com", 5432).await;
        let mut server = bench.accept().await;
        server.stream.write_all(b"!").await.expect("sent");
        client.read_exact(&mut [0]).await.expect("relayed");
        clients.push(client);
        servers.push(server);
    }
    bench.gate.cut();
    for (client, server) in clients.iter_mut().zip(&mut servers) {
        assert_eq!(support::reset(client).await, ErrorKind::ConnectionReset);
        assert_eq!(server.broken().await, ErrorKind::ConnectionReset);
        assert_eq!(bench.outcome().await.ended, Ended::Cut);
    }
    bench.finished().await;
}
