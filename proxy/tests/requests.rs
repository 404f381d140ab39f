//! Is a plain request read in one way only, or refused?

use bottle_policy::HttpHost;
use bottle_proxy::http::{Answer, Answers, Body, Form, Head, Requests, Step, for_origin, without_upgrade};
use proptest::prelude::*;

fn head(fields: &str) -> String {
    format!("POST /a HTTP/1.1\r\n{fields}\r\n")
}

#[track_caller]
fn refused(text: &str, why: &str) {
    let error = Head::parse(text.as_bytes()).expect_err(text).to_string();
    assert!(error.contains(why), "{text:?}: {error}");
}

#[test]
fn smuggling_requests_are_refused() {
    let list = [
        ("Host: a.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", "both"),
        ("Host: a.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n", "both"),
        ("Host: a.example\r\nContent-Length: 3\r\nContent-Length: 3\r\n", "more than one Content-Length"),
        ("Host: a.example\r\nContent-Length: 3, 3\r\n", "plain number"),
        ("Host: a.example\r\nContent-Length: +3\r\n", "plain number"),
        ("Host: a.example\r\nContent-Length: 0x3\r\n", "plain number"),
        ("Host: a.example\r\nContent-Length: \r\n", "plain number"),
        ("Host: a.example\r\nContent-Length: 99999999999999999999\r\n", "plain number"),
        ("Host: a.example\r\nTransfer-Encoding: gzip, chunked\r\n", "other than chunked"),
        ("Host: a.example\r\nTransfer-Encoding: xchunked\r\n", "other than chunked"),
        (
            "Host: a.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
            "more than one Transfer-Encoding",
        ),
        ("Host: a.example\r\nTransfer-Encoding:\x0bchunked\r\n", "not an HTTP/1 request head"),
        ("Host: a.example\r\nTransfer-Encoding : chunked\r\n", "not an HTTP/1 request head"),
        ("Host: a.example\r\nX: y\r\n Transfer-Encoding: chunked\r\n", "folded"),
        ("Host: a.example\r\n\tb.example\r\n", "folded"),
        ("Host: a.example\r\nConnection: close, Content-Length\r\n", "Connection field removes"),
        ("Host: a.example\r\nConnection: host\r\n", "Connection field removes"),
        ("Host: a.example\r\nHost: b.example\r\n", "more than one Host"),
        ("Host: a.example\r\nX\0: y\r\n", "not an HTTP/1 request head"),
        ("", "no Host"),
    ];
    for (fields, why) in list {
        refused(&head(fields), why);
    }
    refused("POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0");
    refused("GET / HTTP/1.2\r\nHost: a.example\r\n\r\n", "not an HTTP/1 request head");
    refused("GET / HTTP/1.1\r\nHost: a.example\r\n\r\nx", "exactly one");
}

#[test]
fn hosts_that_are_spelled_oddly_are_refused() {
    let odd = [
        "127.1",
        "0x7f000001",
        "0177.0.0.1",
        "2130706433",
        "a.example:",
        "a.example:0",
        "a.example:99999",
        "u@a.example",
        "a.example/x",
        "[::1",
        "",
        "a%2eexample",
        "localhost",
        "a.example, b.example",
    ];
    for host in odd {
        refused(&head(&format!("Host: {host}\r\n")), "host is not valid");
    }
}

#[test]
fn targets_must_agree_with_the_host_field() {
    let get = |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    refused(&get("http://a.example/", "b.example"), "different hosts");
    refused(&get("http://a.example:81/", "a.example:82"), "different hosts");
    refused(&get("http://a.example/", "a.example:82"), "different hosts");
    refused(&get("http://user:pw@a.example/", "a.example"), "credentials");
    refused(&get("https://a.example/", "a.example"), "scheme");
    refused(&get("ftp://a.example/", "a.example"), "scheme");
    refused(&get("a.example/x", "a.example"), "no form");
    refused(&get("*", "a.example"), "no form");
    refused("CONNECT a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", "no form");
    refused("CONNECT a.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n", "different hosts");
    refused("CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\n", "CONNECT with a body");
    let absolute = Head::parse(get("http://A.example:80/p?q", "a.example").as_bytes()).expect("agrees");
    assert_eq!(absolute.form, Form::Absolute("/p?q".to_owned()));
    let connect =
        Head::parse(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n").expect("agrees");
    assert_eq!((connect.host, connect.port), (HttpHost::Address("2001:db8::1".parse().expect("v6")), Some(443)));
}

#[test]
fn bodies_end_where_their_head_says() {
    let parse =
        |fields: &str| Head::parse(head(&format!("Host: a.example\r\n{fields}")).as_bytes()).expect("valid").body;
    assert_eq!(parse(""), Body::Empty);
    assert_eq!(parse("Content-Length: 0\r\n"), Body::Empty);
    assert_eq!(parse("content-length: 007\r\n"), Body::Length(7));
    assert_eq!(parse("transfer-encoding: CHUNKED\r\n"), Body::Chunked);
}

/// Splits a stream as the gate does; gives the heads that it saw.
fn heads(stream: &[u8], piece: usize) -> Result<Vec<String>, String> {
    let (mut requests, mut pending, mut heads) = (Requests::default(), Vec::new(), Vec::new());
    for bytes in stream.chunks(piece) {
        pending.extend_from_slice(bytes);
        loop {
            match requests.step(&pending).map_err(|error| error.to_string())? {
                Step::NeedMore => break,
                Step::Wrong(what) => return Err(what.to_owned()),
                Step::Body(count) => drop(pending.drain(..count)),
                Step::Head(end) => {
                    let head = Head::parse(&pending[..end]).map_err(|error| error.to_string())?;
                    heads.push(
                        String::from_utf8_lossy(pending[..end].split(|b| *b == b'\r').next().unwrap_or_default())
                            .into_owned(),
                    );
                    pending.drain(..end);
                    requests.begin(head.body);
                }
            }
        }
    }
    Ok(heads)
}

const THREE: &[u8] = b"POST /1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nGET /\
POST /2 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n\
GET /3 HTTP/1.1\r\nHost: a.example\r\n\r\n";

#[test]
fn requests_on_one_connection_are_told_apart_however_they_are_cut() {
    let expected: Vec<String> =
        (1..=3).map(|n| format!("{} /{n} HTTP/1.1", if n == 3 { "GET" } else { "POST" })).collect();
    for piece in [1, 2, 3, 7, 64, THREE.len()] {
        assert_eq!(heads(THREE, piece).as_ref(), Ok(&expected), "{piece}");
    }
}

#[test]
fn a_line_without_end_is_refused_whatever_it_is_made_of() {
    for byte in [b'\t', b'\r', b'a', b' '] {
        let line = [b"GET /".as_slice(), &vec![byte; 64 * 1024]].concat();
        assert!(heads(&line, 1000).is_err(), "{byte}");
        assert!(heads(&line[5..], 1000).is_err(), "{byte}, from the start");
    }
}

#[test]
fn malformed_chunks_are_refused() {
    let bodies = [
        "x\r\n",
        "5;ext=1\r\nhello\r\n",
        "5\nhello\r\n",
        "5\r\nhelloX",
        "5\r\nhello\n",
        "\r\n",
        "0\r\nT: x\n\r\n",
        "0\r\n T: x\r\n\r\n",
        "-1\r\n",
        "10000000000000000\r\n",
        "0 \r\n\r\n",
        "0\r\nT\rx\r\n\r\n",
    ];
    for body in bodies {
        let stream = format!("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_eq!(heads(stream.as_bytes(), 1), Err("a malformed chunk".to_owned()), "{body:?}");
    }
}

#[test]
fn what_follows_a_request_must_be_one() {
    let stream = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n\x16\x03\x01\x00\x05";
    assert_eq!(heads(stream, 4), Err("bytes between requests that are no request".to_owned()));
}

#[test]
fn an_offer_to_become_http2_is_taken_out() {
    let head = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings, keep-alive\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n";
    let expected = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n";
    assert_eq!(String::from_utf8(without_upgrade(head)).expect("text"), expected);
}

#[test]
fn an_absolute_request_goes_on_in_origin_form_and_alone() {
    let head = b"GET http://a.example/p HTTP/1.1\r\nHost: a.example\r\nProxy-Authorization: x\r\nProxy-Connection: keep-alive\r\nAccept: */*\r\n\r\n";
    let expected = "GET /p HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nAccept: */*\r\n\r\n";
    assert_eq!(to_origin(head), expected);
}

fn to_origin(bytes: &[u8]) -> String {
    let head = Head::parse(bytes).expect("a head");
    let Form::Absolute(path) = &head.form else { panic!("{head:?}") };
    String::from_utf8(for_origin(bytes, &head, path)).expect("text")
}

#[test]
fn an_absolute_request_goes_on_with_the_host_and_port_that_were_judged() {
    for fields in ["Host: A.example\r\n", ""] {
        let sent = to_origin(format!("GET http://a.example:8080/p HTTP/1.1\r\n{fields}\r\n").as_bytes());
        assert_eq!(sent, "GET /p HTTP/1.1\r\nHost: a.example:8080\r\nConnection: close\r\n\r\n", "{fields:?}");
    }
    let old = to_origin(b"GET http://[2001:db8::1]/ HTTP/1.0\r\n\r\n");
    assert_eq!(old, "GET / HTTP/1.0\r\nHost: [2001:db8::1]\r\nConnection: close\r\n\r\n");
}

/// Old clients send one after a body.
#[test]
fn an_empty_line_before_the_request_does_not_go_on() {
    let absolute = to_origin(b"\r\n\nGET http://a.example/p HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_eq!(absolute, "GET /p HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    let origin = without_upgrade(b"\r\nGET /p HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\n\r\n");
    assert_eq!(origin, b"GET /p HTTP/1.1\r\nHost: a.example\r\n\r\n");
}

#[test]
fn a_server_agrees_to_an_upgrade_only_by_101() {
    let answer = |pieces: &[&[u8]]| {
        let mut answers = Answers::default();
        pieces.iter().map(|piece| answers.push(piece)).last()
    };
    assert_eq!(
        answer(&[b"HTTP/1.1 101 Switching", b" Protocols\r\nUpgrade: websocket\r\n\r\n"]),
        Some(Answer::Switched)
    );
    assert_eq!(answer(&[b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 101 \r\n\r\n"]), Some(Answer::Switched));
    assert_eq!(answer(&[b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 \r\n\r\n"]), Some(Answer::Stayed));
    assert_eq!(answer(&[b"HTTP/1.1 1011\r\n\r\n"]), Some(Answer::Stayed));
    assert_eq!(answer(&[b"HTTP/1.1 101"]), Some(Answer::Waiting));
}

#[test]
fn an_agreement_behind_a_head_without_end_is_none_however_it_comes() {
    let late = [b"HTTP/1.1 101 Switching Protocols\r\nX: ".as_slice(), &[b'x'; 1 << 16], b"\r\n\r\n"].concat();
    for piece in [late.len(), 1] {
        let mut answers = Answers::default();
        let first = late.chunks(piece).map(|piece| answers.push(piece)).find(|answer| *answer != Answer::Waiting);
        assert_eq!(first, Some(Answer::Stayed), "in pieces of {piece}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn fuzz_head_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), fields in "[ -~]{0,40}") {
        let _ = Head::parse(&bytes);
        let _ = Head::parse(head(&format!("Host: a.example\r\n{fields}\r\n")).as_bytes());
    }

    #[test]
    fn fuzz_requests_are_read_alike_however_they_are_cut(at in any::<prop::sample::Index>(), value in any::<u8>(), piece in 1usize..40) {
        let mut stream = THREE.to_vec();
        let at = at.index(stream.len());
        stream[at] = value;
        prop_assert_eq!(heads(&stream, piece), heads(&stream, stream.len()));
    }

    #[test]
    fn fuzz_answers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Answers::default().push(&bytes);
    }
}
