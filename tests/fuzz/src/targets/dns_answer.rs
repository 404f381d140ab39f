//! Does what a resolver answers cost the dialler little, and mean the same when it is written and read again?
//!
//! The dialler reads answers with hickory alone, so this is a test of hickory as it is used here.

use hickory_proto::op::Message;
use hickory_proto::rr::RData;

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let Ok(message) = Message::from_vec(bytes) else { return Reading::Refused };
    let Ok(written) = message.to_vec() else { return Reading::Accepted };
    let again = Message::from_vec(&written).expect("what hickory writes it reads");
    assert_eq!(addresses(&message), addresses(&again), "other addresses after a round");
    Reading::Accepted
}

fn addresses(message: &Message) -> Vec<String> {
    let address = |data: &RData| data.ip_addr().map(|address| address.to_string());
    message.answers.iter().filter_map(|record| address(&record.data)).collect()
}
