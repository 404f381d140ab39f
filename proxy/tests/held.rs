//! How much may a workload make the gate hold, and for how long? Over loopback, with a scripted dialler.

#[path = "support/hello.rs"]
#[allow(dead_code, reason = "the parsers' tests use the rest")]
mod hello;
#[path = "support/gate.rs"]
#[allow(dead_code, reason = "the other tests of the gate use the rest")]
mod support;

use std::io::ErrorKind;
use std::time::Duration;

use bottle_policy::Reason;
use bottle_proxy::Ended;
use bottle_proxy::gate::Limits;
use hello::Hello;
use support::{Answer, Bench, Peer, limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &[u8] = b"GET /1 HTTP/1.1\r\nHost: web.example.com\r\n\r\n";

/// A connection on which a plain request went through.
async fn kept(bench: &Bench) -> (TcpStream, Peer) {
    let mut client = bench.connect("web.example.com", 80).await;
    client.write_all(REQUEST).await.expect("sent");
    let mut server = bench.accept().await;
    assert_eq!(server.take(REQUEST.len()).await, REQUEST);
    (client, server)
}

#[tokio::test]
async fn a_line_without_end_on_a_kept_connection_is_refused() {
    for byte in [b'\t', b'\r', b'a'] {
        let bench = Bench::new(limits()).await;
        let (mut client, mut server) = kept(&bench).await;
        // The gate need not take all of it.
        let _ = client.write_all(&[byte; 128 * 1024]).await;
        assert_eq!(server.broken().await, ErrorKind::ConnectionReset);
        assert_eq!(bench.outcome().await.reason, Some(Reason::Unparsable), "{byte}");
    }
}

#[tokio::test]
async fn a_head_on_a_kept_connection_has_one_deadline_however_it_drips() {
    let bench = Bench::new(Limits { first_bytes: Duration::from_millis(200), ..limits() }).await;
    let (mut client, mut server) = kept(&bench).await;
    let drip = async {
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        for &byte in b"GET /".iter().chain(std::iter::repeat(&b'a')) {
            clock.tick().await;
            if client.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    };
    let (_, end) = tokio::join!(drip, server.broken());
    assert_eq!(end, ErrorKind::ConnectionReset);
    assert_eq!(bench.outcome().await.reason, Some(Reason::Unparsable));
}

#[tokio::test]
async fn a_head_that_has_begun_on_a_kept_connection_is_pending() {
    let bench = Bench::new(Limits { pending: 2, ..limits() }).await;
    let (mut client, mut server) = kept(&bench).await;
    client.write_all(b"GET /2").await.expect("sent");
    bench.settle().await;
    let _newer = [bench.connect("api.example.com", 443).await, bench.connect("api.example.com", 443).await];
    assert_eq!(server.broken().await, ErrorKind::ConnectionReset);
    let outcome = bench.outcome().await;
    assert_eq!((outcome.ended, outcome.reason), (Ended::Refused, Some(Reason::Limit)));
}

#[tokio::test]
async fn first_bytes_count_until_the_dialler_has_answered() {
    let hello = Hello::to("api.example.com").records();
    assert!(hello.len() > 70);
    let narrow = Limits { pending_bytes: 2 * hello.len() + 70, open: Duration::from_secs(2), ..limits() };
    let bench = Bench::with(narrow, Answer::Nothing).await;
    let connect = async || {
        let mut client = bench.connect("api.example.com", 443).await;
        client.write_all(&hello).await.expect("sent");
        client
    };
    let _asked = [connect().await, connect().await];
    while bench.attempts().len() < 2 {
        bench.settle().await;
    }
    let _beyond = connect().await;
    assert_eq!(bench.outcome().await.reason, Some(Reason::Limit));
    // No answer came in time: there is room again.
    for _ in 0..2 {
        assert_eq!(bench.outcome().await.reason, Some(Reason::Unavailable));
    }
    let _again = connect().await;
    while bench.attempts().len() < 4 {
        bench.settle().await;
    }
    assert_eq!(bench.attempts()[3].denied, None);
}

#[tokio::test]
async fn a_request_to_the_proxy_counts_until_the_dialler_has_answered() {
    let request = b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n";
    let bench = Bench::with(Limits { pending_bytes: 2 * request.len() - 1, ..limits() }, Answer::Nothing).await;
    let mut asked = bench.proxy().await;
    asked.write_all(request).await.expect("sent");
    while bench.attempts().is_empty() {
        // What it asks is shorter: there is room for it.
        bench.settle().await;
    }
    let mut beyond = bench.proxy().await;
    beyond.write_all(request).await.expect("sent");
    assert_eq!(bench.outcome().await.reason, Some(Reason::Limit));
}

#[tokio::test]
async fn one_pending_too_many_denies_the_oldest_and_no_other() {
    let bench = Bench::new(Limits { pending: 2, ..limits() }).await;
    let mut oldest = bench.connect("api.example.com", 443).await;
    bench.settle().await;
    let mut second = bench.connect("api.example.com", 443).await;
    bench.settle().await;
    let _third = bench.connect("api.example.com", 443).await;
    assert_eq!(support::reset(&mut oldest).await, ErrorKind::ConnectionReset);
    assert_eq!(bench.outcome().await.reason, Some(Reason::Limit));
    second.write_all(&Hello::to("api.example.com").records()).await.expect("sent");
    bench.accept().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_denied_and_recorded() {
    let bench = Bench::new(Limits { connections: 1, ..limits() }).await;
    let mut first = bench.connect("db.example.com", 5432).await;
    let mut server = bench.accept().await;
    let mut second = bench.connect("db.example.com", 5432).await;
    assert_eq!(support::reset(&mut second).await, ErrorKind::ConnectionReset);
    assert_eq!(bench.outcome().await.reason, Some(Reason::Limit));
    first.write_all(b"\0").await.expect("sent");
    assert_eq!(server.take(1).await, b"\0");
}

#[tokio::test]
async fn a_thousand_silent_connections_keep_no_other_out() {
    let bench = Bench::new(Limits { pending: 32, connections: 64, ..limits() }).await;
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(bench.connect("api.example.com", 443).await);
    }
    let mut client = bench.connect("api.example.com", 443).await;
    client.write_all(&Hello::to("api.example.com").records()).await.expect("sent");
    let mut server = bench.accept().await;
    server.stream.write_all(b"here").await.expect("sent");
    client.read_exact(&mut [0; 4]).await.expect("read");
    let denied = bench.attempts().iter().filter(|attempt| attempt.denied == Some(Reason::Limit)).count();
    assert!((1000 - 64..=1000).contains(&denied), "{denied}");
}
