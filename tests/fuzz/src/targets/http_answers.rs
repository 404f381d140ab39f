//! Is what a server answers to an upgrade read in one way, however it is cut?

use std::iter;

use bottle_proxy::http::{Answer, Answers};

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let whole = first(iter::once(bytes));
    assert_eq!(whole, first(bytes.chunks(1)), "in one piece and byte by byte");
    (whole == Answer::Switched).into()
}

fn first<'b>(mut pieces: impl Iterator<Item = &'b [u8]>) -> Answer {
    let mut answers = Answers::default();
    pieces
        .find_map(|piece| Some(answers.push(piece)).filter(|answer| *answer != Answer::Waiting))
        .unwrap_or(Answer::Waiting)
}
