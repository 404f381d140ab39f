//! Are descriptions of refused packets read from any datagram, and never more than came?

use bottle_netns::nflog;
use serde_json::to_string;

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let refusals = nflog::parse(bytes);
    assert!(refusals.len() <= bytes.len() / 16);
    for refusal in &refusals {
        let text = to_string(refusal).expect("plain data is JSON");
        assert_eq!(&serde_json::from_str::<nflog::Refusal>(&text).expect("what was written is read"), refusal);
    }
    (!refusals.is_empty()).into()
}
