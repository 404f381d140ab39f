//! Do first bytes get one answer however they are cut, and never one that TLS as rustls reads it contradicts?

use std::slice;

use bottle_policy::{Name, Seen};
use bottle_proxy::sniff::{Sniffed, Sniffer, classify};
use rustls::server::Acceptor;

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let whole = classify(bytes, false);
    let (piecewise, end) = byte_by_byte(bytes);
    assert_eq!(whole, piecewise, "in one piece and byte by byte");
    assert!(matches!(classify(bytes, true), Sniffed::Seen(_)), "no answer at the end of the stream");
    match &whole {
        Sniffed::Seen(Seen::Tls { sni, .. }) => {
            assert_eq!(by_rustls(&bytes[..end]), Theirs::Hello(sni.clone()), "accepted here and not by rustls");
        }
        Sniffed::Seen(Seen::Unparsable(_)) => {}
        other => assert!(!matches!(by_rustls(bytes), Theirs::Hello(_)), "a ClientHello for rustls, and here {other:?}"),
    }
    matches!(whole, Sniffed::Seen(Seen::Tls { .. })).into()
}

/// The answer, and after how many bytes it was given; it must stay the same from then on.
fn byte_by_byte(bytes: &[u8]) -> (Sniffed, usize) {
    let mut sniffer = Sniffer::default();
    let mut first: Option<(Seen, usize)> = None;
    for (at, byte) in bytes.iter().enumerate() {
        match (&first, sniffer.push(slice::from_ref(byte))) {
            (None, Sniffed::Seen(seen)) => first = Some((seen, at + 1)),
            (None, Sniffed::NeedMore) => assert!(at + 1 < Sniffer::MOST, "more wanted after {at} bytes"),
            (Some((seen, _)), later) => assert_eq!(later, Sniffed::Seen(seen.clone()), "changed by a later byte"),
        }
    }
    assert_eq!(sniffer.bytes(), bytes, "what is relayed is what came");
    first.map_or((Sniffed::NeedMore, bytes.len()), |(seen, end)| (Sniffed::Seen(seen), end))
}

#[derive(Debug, PartialEq, Eq)]
enum Theirs {
    Hello(Option<Name>),
    Refused,
    NeedMore,
}

/// What rustls reads, given all bytes.
fn by_rustls(mut bytes: &[u8]) -> Theirs {
    let mut acceptor = Acceptor::default();
    loop {
        if !matches!(acceptor.read_tls(&mut bytes), Ok(1..)) {
            return Theirs::NeedMore;
        }
        match acceptor.accept() {
            Ok(None) => {}
            Err(_) => return Theirs::Refused,
            Ok(Some(accepted)) => {
                let name = accepted.client_hello().server_name().map(|name| Name::from_wire(name.as_bytes()));
                // A name that is none here is refused here.
                return name.transpose().map_or(Theirs::Refused, Theirs::Hello);
            }
        }
    }
}
