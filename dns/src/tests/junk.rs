//! Can any bytes make it panic, or answer what is no answer?

use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Bench, query, with_edns};
use crate::Transport;

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let bench = Bench::new();
    for transport in [Transport::Udp, Transport::Tcp] {
        let answer = bench.sinkhole.answer(bytes, transport);
        let silent = bytes.len() < 12 || bytes[2] & 0x80 != 0;
        prop_assert_eq!(answer.is_none(), silent);
        let Some(answer) = answer else { continue };
        prop_assert_eq!(&answer[..2], &bytes[..2], "the id");
        prop_assert_eq!(answer[2] & 0x81, bytes[2] & 0x01 | 0x80, "QR, and RD as it came");
        prop_assert_eq!(answer[3] & 0xe0, 0x80, "RA, no Z, no AD");
        prop_assert!(transport == Transport::Tcp || answer.len() <= 1232);
        prop_assert!(Message::from_vec(&answer).is_ok(), "{:02x?}", answer);
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_get_a_well_formed_answer_or_silence(bytes in vec(any::<u8>(), 0..600)) {
        check(&bytes)?;
    }

    #[test]
    fn arbitrary_bytes_after_a_header_with_one_question_do_too(id: u16, kind in 0..4u8, rest in vec(any::<u8>(), 0..300)) {
        let header = [id.to_be_bytes().as_slice(), &[1, 0, 0, 1, 0, 0, 0, 0, 0, kind]].concat();
        check(&[header, rest].concat())?;
    }

    #[test]
    fn a_query_with_any_bytes_changed_does_too(
        kind: u16,
        payload: u16,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let question = with_edns(query("_http._tcp.api.example.com", RecordType::from(kind)), payload);
        let mut bytes = question.to_vec().unwrap();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        check(&bytes)?;
        check(&bytes[..cut.index(bytes.len())])?;
    }

    #[test]
    fn labels_of_any_bytes_do_too(labels in vec(vec(any::<u8>(), 1..64), 0..5), kind: u16) {
        let mut bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            bytes.push(label.len() as u8);
            bytes.extend(label);
        }
        bytes.push(0);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        check(&bytes)?;
    }
}
