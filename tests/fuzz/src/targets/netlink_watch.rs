//! Does each notification that can't be read count as a change?

use std::fs::File;

use bottle_netns::layout::{Layout, Side};
use bottle_netns::watch::{Kind, Source, Watch};

use super::Reading;

/// The first byte says to which socket the datagram came.
pub(super) fn read(bytes: &[u8]) -> Reading {
    let Some((which, datagram)) = bytes.split_first() else { return Reading::Refused };
    let source = match which {
        b'r' => Source::Route,
        b'n' => Source::Rules,
        b's' => Source::Sockets,
        _ => return Reading::Refused,
    };
    let fd = File::open("/dev/null").expect("there is /dev/null").into();
    let changes = Watch { side: Side::Agent, source, fd }.parse(&Layout::default(), datagram);
    let unreadable = changes.iter().any(|change| change.kind == Kind::Unreadable);
    let whole = lengths(datagram);
    assert!(unreadable || whole.is_some(), "a datagram that is cut short means nothing");
    if let (Source::Rules | Source::Sockets, Some(messages)) = (source, whole) {
        assert_eq!(changes.len(), messages, "a notification that means nothing");
    }
    assert!(changes.len() <= datagram.len() / 16 + 1);
    (!unreadable && !changes.is_empty()).into()
}

/// How many messages fill the datagram, if they do.
fn lengths(mut datagram: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !datagram.is_empty() {
        let length = u32::from_ne_bytes(*datagram.first_chunk()?) as usize;
        if length < 16 || length > datagram.len() {
            return None;
        }
        count += 1;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(count)
}
