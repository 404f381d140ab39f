//! Do first bytes get one answer, however they are cut, and no answer that a trick could change?

#[path = "support/hello.rs"]
mod hello;

use bottle_policy::{HttpHost, Name, Seen};
use bottle_proxy::sniff::{Sniffed, Sniffer, classify};
use hello::{Hello, in_records, server_names};
use proptest::prelude::*;

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn seen(bytes: &[u8]) -> Seen {
    match classify(bytes, false) {
        Sniffed::Seen(seen) => seen,
        Sniffed::NeedMore => panic!("no answer for {} bytes", bytes.len()),
    }
}

fn tls(text: &str) -> Seen {
    Seen::Tls { sni: Some(name(text)), ech: false }
}

#[track_caller]
fn refused(bytes: &[u8], why: &str) {
    match seen(bytes) {
        Seen::Unparsable(said) => assert!(said.contains(why), "{said}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_hello_cut_at_every_byte_shows_its_name_only_at_its_end() {
    let bytes = Hello::to("api.example.com").records();
    for cut in 0..bytes.len() {
        assert_eq!(classify(&bytes[..cut], false), Sniffed::NeedMore, "{cut}");
        let mut sniffer = Sniffer::default();
        assert_eq!(sniffer.push(&bytes[..cut]), Sniffed::NeedMore);
        assert_eq!(sniffer.push(&bytes[cut..]), Sniffed::Seen(tls("api.example.com")), "{cut}");
    }
}

#[test]
fn a_hello_cut_into_records_at_every_byte_shows_its_name() {
    let message = Hello::to("api.example.com").message();
    for cut in 1..message.len() {
        let records = [in_records(&message[..cut], cut), in_records(&message[cut..], 1 << 14)].concat();
        assert_eq!(seen(&records), tls("api.example.com"), "{cut}");
    }
    assert_eq!(seen(&in_records(&message, 1)), tls("api.example.com"));
}

#[test]
fn a_hello_larger_than_a_record_shows_its_name() {
    let hello = Hello::to("api.example.com").with(21, vec![0; 20_000]);
    assert_eq!(seen(&hello.records()), tls("api.example.com"));
}

#[test]
fn what_rustls_sends_is_understood() {
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let host = rustls::pki_types::ServerName::try_from("API.example.com").expect("a name");
    let mut client = rustls::ClientConnection::new(config.into(), host).expect("a client");
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).expect("written");
    assert_eq!(seen(&bytes), tls("api.example.com"));
}

#[test]
fn case_and_a_trailing_dot_do_not_matter() {
    assert_eq!(seen(&Hello::to("API.Example.COM").records()), tls("api.example.com"));
}

#[test]
fn no_server_name_is_said_so() {
    assert_eq!(seen(&Hello::new().records()), Seen::Tls { sni: None, ech: false });
}

#[test]
fn encrypted_client_hello_is_seen_beside_the_outer_name() {
    let hello = Hello::to("outer.example.com").with(0xfe0d, vec![0, 0, 1, 0, 1, 5, 0, 1, 9, 0, 1, 9]);
    assert_eq!(seen(&hello.records()), Seen::Tls { sni: Some(name("outer.example.com")), ech: true });
}

#[test]
fn grease_changes_nothing() {
    let hello = Hello::to("api.example.com").with_first(0x0a0a, vec![]).with(0xfafa, vec![0]);
    assert_eq!(seen(&hello.records()), tls("api.example.com"));
}

#[test]
fn a_malformed_extension_before_the_name_does_not_hide_it() {
    let hello = Hello::to("api.example.com").with_first(10, vec![0xff, 0xff, 0]);
    assert!(matches!(seen(&hello.records()), Seen::Unparsable(_)));
    refused(&Hello::to("api.example.com").with_raw(&[0, 99, 0xff]).records(), "malformed extension");
    refused(&Hello::to("api.example.com").with_raw(&[0, 99, 0, 9, 1]).records(), "malformed extension");
}

#[test]
fn two_server_names_are_refused_in_whatever_form() {
    let both = server_names(&[b"api.example.com", b"evil.example"]);
    refused(&Hello::new().with(0, both).records(), "not one host name");
    let twice = Hello::to("api.example.com").with(0, server_names(&[b"evil.example"]));
    refused(&twice.records(), "comes twice");
    let mut trailing = server_names(&[b"api.example.com"]);
    trailing.extend(b"x");
    refused(&Hello::new().with(0, trailing).records(), "not one host name");
    refused(&Hello::new().with(0, server_names(&[])).records(), "not one host name");
    refused(&Hello::new().with(0, vec![]).records(), "not one host name");
}

#[test]
fn a_server_name_that_is_no_name_is_refused() {
    for wrong in [
        &b"api.example.com\0.evil.example"[..],
        b"127.0.0.1",
        b"0x7f.1",
        b"a..b",
        b"",
        b"\xc3\xa4.example",
        b"localhost",
    ] {
        assert!(
            matches!(seen(&Hello::new().with(0, server_names(&[wrong])).records()), Seen::Unparsable(_)),
            "{wrong:?}"
        );
    }
}

#[test]
fn bytes_after_the_hello_in_its_record_are_refused_and_later_records_are_not() {
    let hello = Hello::to("api.example.com");
    refused(&in_records(&[hello.message(), vec![1, 0, 0, 0]].concat(), 1 << 14), "goes on after");
    assert_eq!(seen(&[hello.records(), vec![23, 3, 3, 0, 1, 9]].concat()), tls("api.example.com"));
}

#[test]
fn a_hello_with_bytes_left_over_is_refused() {
    let mut message = Hello::to("api.example.com").message();
    message.push(0);
    let body = message.len() - 4;
    message[2..4].copy_from_slice(&(body as u16).to_be_bytes());
    assert!(matches!(seen(&in_records(&message, 1 << 14)), Seen::Unparsable(_)));
}

#[test]
fn records_that_carry_no_hello_are_refused_at_once() {
    refused(&[22, 3, 1, 0, 0], "record of 0 bytes");
    refused(&[22, 3, 1, 0x40, 1], "record of 16385 bytes");
    refused(&[22, 3, 9, 0, 1], "version 3.9");
    refused(&[22, 3, 1, 0, 1, 2], "message is of type 2");
    refused(&[22, 3, 1, 0, 4, 1, 2, 0, 0], "ClientHello of 131072 bytes");
    refused(&[22, 3, 1, 0, 1, 1, 23], "record of type 23");
}

#[test]
fn an_end_of_file_within_a_hello_is_refused() {
    let bytes = Hello::to("api.example.com").records();
    assert!(matches!(classify(&bytes[..bytes.len() - 1], true), Sniffed::Seen(Seen::Unparsable(_))));
    assert!(matches!(classify(&bytes[..1], true), Sniffed::Seen(Seen::Opaque)));
}

#[test]
fn an_end_of_file_before_the_first_byte_shows_silence() {
    assert_eq!(classify(b"", true), Sniffed::Seen(Seen::Silent));
}

#[test]
fn a_request_head_shows_its_host() {
    let host = |text: &str, port| Seen::Http { host: HttpHost::Name(name(text)), port };
    assert_eq!(seen(b"GET / HTTP/1.1\r\nHost: API.example.com\r\n\r\nrest"), host("api.example.com", None));
    assert_eq!(seen(b"GET / HTTP/1.1\r\nhost:a.example:8080\r\n\r\n"), host("a.example", Some(8080)));
    assert_eq!(seen(b"GET / HTTP/1.0\r\n\r\n"), Seen::Http { host: HttpHost::Absent, port: None });
    assert_eq!(seen(b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"), host("a.example", None));
}

#[test]
fn protocols_that_are_neither_are_opaque() {
    let others: [&[u8]; 9] = [
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"EHLO there\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET key\r\n",
        b"\x16\x16",
        b"{\"jsonrpc\": 2}",
        b"\x80\x2e\x01\x03\x01",
    ];
    for bytes in others {
        assert_eq!(seen(bytes), Seen::Opaque, "{bytes:?}");
    }
}

#[test]
fn what_a_lenient_server_reads_as_http_is_never_opaque() {
    let tricks: [&[u8]; 7] = [
        b"GET / HTTP/1.1\nHost: a.example\n\n",
        b"\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"get\t/ http/1.1\r\nHost: a.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\rX: y\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: a.example\r\n\r\n",
    ];
    for bytes in tricks {
        assert!(matches!(seen(bytes), Seen::Unparsable(_)), "{bytes:?}");
    }
}

/// Bytes near the interesting: mutated hellos, mutated requests, and noise.
fn near() -> impl Strategy<Value = Vec<u8>> {
    let hello = Hello::to("api.example.com").records();
    let small = in_records(&Hello::to("api.example.com").message(), 7);
    let request = b"POST /a HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 3\r\n\r\nabc".to_vec();
    let base = prop_oneof![Just(hello), Just(small), Just(request)];
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let mutated = (base, prop::collection::vec(change, 0..4)).prop_map(|(mut bytes, changes)| {
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        bytes
    });
    prop_oneof![4 => mutated, 1 => prop::collection::vec(any::<u8>(), 0..600)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn fuzz_sniff_a_prefix_never_contradicts_the_whole(bytes in near(), cut in any::<prop::sample::Index>()) {
        let whole = classify(&bytes, false);
        let cut = cut.index(bytes.len() + 1);
        let mut sniffer = Sniffer::default();
        let first = sniffer.push(&bytes[..cut]);
        prop_assert_eq!(&first, &classify(&bytes[..cut], false));
        if let Sniffed::Seen(_) = &first {
            prop_assert_eq!(&first, &whole);
        }
        prop_assert_eq!(&sniffer.push(&bytes[cut..]), &whole);
        let _ = classify(&bytes, true);
    }
}
