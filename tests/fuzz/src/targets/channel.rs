//! Is a message between the processes read in one form, with no text beyond what is promised?

use std::io::ErrorKind;
use std::os::fd::AsFd;

use bottle_proxy::{Attempt, Detail};
use bottle_runtime::channel::Channel;
use bottle_runtime::{dialler, gate, init};
use rustix::net::SendFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let understood = [
        one::<gate::message::FromGate>(bytes).is_some(),
        one::<gate::message::ToGate>(bytes).is_some(),
        one::<gate::message::GateSetup>(bytes).is_some(),
        one::<dialler::message::FromDialler>(bytes).is_some_and(|message| decided(&message)),
        one::<dialler::message::ToDialler>(bytes).is_some(),
        one::<dialler::message::FromGate>(bytes).is_some_and(|message| asked(&message)),
        one::<dialler::message::ToGate>(bytes).is_some(),
        one::<init::message::FromInit>(bytes).is_some(),
        one::<init::message::ToInit>(bytes).is_some(),
        one::<init::plan::InitPlan>(bytes).is_some(),
    ];
    understood.contains(&true).into()
}

fn asked(message: &dialler::message::FromGate) -> bool {
    if let dialler::message::FromGate::Open(attempt) = message {
        bounded(attempt);
    }
    true
}

fn decided(message: &dialler::message::FromDialler) -> bool {
    if let dialler::message::FromDialler::Decided(record) = message {
        bounded(&record.attempt);
    }
    true
}

fn bounded(attempt: &Attempt) {
    if let bottle_policy::Seen::Unparsable(why) = &attempt.request.seen {
        assert!(why.len() <= Detail::MAX);
    }
    let _ = (attempt.is_consistent(), attempt.names_nothing());
}

/// The message that a real channel makes of these bytes, which is the same when it is sent on.
fn one<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (theirs, ours) = Channel::pair().expect("a pair of sockets");
    rustix::net::send(theirs.as_fd(), bytes, SendFlags::NOSIGNAL).expect("sent");
    drop(theirs);
    let message: T = match ours.recv() {
        Ok((message, _)) => message,
        Err(error) => {
            let expected = if bytes.is_empty() { ErrorKind::UnexpectedEof } else { ErrorKind::InvalidData };
            assert_eq!(error.kind(), expected, "{error}");
            return None;
        }
    };
    let written = serde_json::to_value(&message).expect("a message is JSON");
    let (theirs, ours) = Channel::pair().expect("a pair of sockets");
    theirs.send(&message, &[]).expect("sent on");
    let again: T = ours.recv().expect("what was written is read").0;
    assert_eq!(serde_json::to_value(&again).expect("a message is JSON"), written);
    Some(message)
}
