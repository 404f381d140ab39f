//! Does a CONNECT that is accepted name one host and one port, spelled in one way?

use bottle_policy::{Host, HttpHost, Seen};
use bottle_proxy::http::{Body, Form, Head};
use bottle_proxy::sniff::{Sniffed, classify};

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let request = [b"CONNECT ", bytes, b" HTTP/1.1\r\nHost: ", bytes, b"\r\n\r\n"].concat();
    assert!(
        !matches!(classify(&request, true), Sniffed::Seen(Seen::Http { .. })) || bytes.contains(&b'\n'),
        "a CONNECT is no request to a server"
    );
    let Ok(head) = Head::parse(&request) else { return Reading::Refused };
    if bytes.contains(&b'\n') {
        return Reading::Refused;
    }
    assert_eq!((&head.form, head.body), (&Form::Authority, Body::Empty));
    let host = match head.host {
        HttpHost::Name(name) => Host::Name(name),
        HttpHost::Address(address) => Host::Address(address),
        HttpHost::Absent => panic!("a CONNECT without a host"),
    };
    let port = head.port.expect("a CONNECT has a port");
    assert_eq!(Host::parse_with_port(&format!("{host}:{port}")), Ok((host, Some(port))));
    Reading::Accepted
}
