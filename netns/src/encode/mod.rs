//! How do the rules of the model get into the kernel?
//!
//! The model is encoded to one netlink batch: the kernel takes all of it or none. Only what the rules say
//! is understood; any other word of the model is an error, never skipped.

pub(crate) mod attribute;
mod expression;
mod object;
mod value;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST};
use netlink_packet_netfilter::nftables::NfTablesMessage;
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};
use nftables::schema::Nftables;
use thiserror::Error;

use crate::wire;

/// The netfilter subsystem of nftables, which a batch names.
const NFTABLES: u16 = 10;

/// Why a model cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The model uses a word that this encoder does not know.
    #[error("the rules use {0}, which the encoder does not know")]
    Unknown(String),
}

impl EncodeError {
    fn unknown(what: impl std::fmt::Debug) -> Self {
        EncodeError::Unknown(format!("{what:?}"))
    }
}

/// Encodes each command of the model to the message that carries it out.
pub fn messages(model: &Nftables<'_>) -> Result<Vec<NetfilterMessage>, EncodeError> {
    model.objects.iter().map(object::message).collect()
}

/// Frames messages as one batch, numbered from `first`. Also returns how many numbers were used.
pub(crate) fn batch(messages: Vec<NetfilterMessage>, first: u32) -> (Vec<u8>, usize) {
    let count = messages.len();
    let mut bytes = Vec::new();
    wire::append(&mut bytes, 0, NLM_F_REQUEST, frame(ControlMessage::BatchBegin));
    for (left, (sequence, message)) in (0..count).rev().zip((first..).zip(messages)) {
        let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND | wire::acknowledged(left);
        wire::append(&mut bytes, sequence, flags, message);
    }
    wire::append(&mut bytes, 0, NLM_F_REQUEST, frame(ControlMessage::BatchEnd));
    (bytes, count)
}

fn frame(message: ControlMessage) -> NetfilterMessage {
    NetfilterMessage::new(NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, NFTABLES), message)
}

/// A message of nftables for one family.
pub(crate) fn nft(family: NetfilterProtoFamily, message: NfTablesMessage) -> NetfilterMessage {
    NetfilterMessage::new(NetfilterHeader::new(family, 0, 0), NetfilterMessageInner::NfTables(message))
}
