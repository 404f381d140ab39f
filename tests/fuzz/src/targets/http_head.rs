//! Does a request head that is accepted have one reading, before and after it is rewritten?

use bottle_policy::{HttpHost, Seen};
use bottle_proxy::http::{Form, Head, for_origin, without_upgrade};
use bottle_proxy::sniff::{Sniffed, classify};

use super::Reading;

/// A longer one is not looked at to its end.
const LONGEST_METHOD: usize = 32;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let Ok(head) = Head::parse(bytes) else { return Reading::Refused };
    match classify(bytes, false) {
        Sniffed::Seen(seen) if seen == head.seen() => {}
        Sniffed::Seen(Seen::Unparsable(_)) => {}
        // Not to wait for the end of a word that may be no method; where a rule says `http` it is denied.
        Sniffed::Seen(Seen::Opaque) if head.method.len() > LONGEST_METHOD => {}
        other => panic!("a request head, sniffed as {other:?}"),
    }
    let stripped = Head::parse(&without_upgrade(bytes)).expect("a head without its upgrade is a head");
    assert!(!stripped.upgrade && !stripped.websocket);
    assert_eq!(stripped, Head { upgrade: false, websocket: false, ..head.clone() });
    if let Form::Absolute(path) = &head.form {
        to_origin(&head, &for_origin(bytes, &head, path), path);
    }
    Reading::Accepted
}

fn to_origin(asked: &Head, rewritten: &[u8], path: &str) {
    let sent = Head::parse(rewritten).expect("a head in origin form is a head");
    assert_eq!(sent.form, Form::Origin(path.to_owned()));
    assert_eq!(sent.host, asked.host, "another host's than was judged");
    assert_eq!(sent.port.unwrap_or(80), asked.port.unwrap_or(80), "another port's than was judged");
    assert_ne!(sent.host, HttpHost::Absent);
    assert_eq!((sent.method, sent.body), (asked.method.clone(), asked.body));
    assert!(!sent.upgrade);
}
