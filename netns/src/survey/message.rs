//! What is in a message of nf_tables? Its attributes as bytes, which are all that the canonical form takes.
//!
//! The typed messages of the packet crate are for what is sent: to read a dump back into them takes many times as long.

use netlink_packet_core::{
    NLA_HEADER_SIZE, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable, NlaBuffer, NlasIterator,
};

use crate::wire::WireError;

/// NFNL_SUBSYS_NFTABLES, in the upper byte of a message's type.
const SUBSYSTEM: u16 = (libc::NFNL_SUBSYS_NFTABLES as u16) << 8;

/// The length of `struct nfgenmsg`: family, version and resource, before the attributes.
const HEADER: usize = 4;

/// A message to nf_tables or from it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) message_type: u16,
    /// The protocol family, `NFPROTO_*`.
    pub(crate) family: u8,
    /// As they are on the wire.
    pub(crate) attributes: Vec<u8>,
}

impl Message {
    /// Asks for all of one kind (`NFT_MSG_GET*`), in all families.
    pub(crate) fn request(kind: libc::c_int) -> Message {
        Message { message_type: SUBSYSTEM | kind as u16, family: 0, attributes: Vec::new() }
    }

    pub(crate) fn parse(message_type: u16, payload: &[u8]) -> Result<Message, WireError> {
        match payload {
            [family, _, _, _, attributes @ ..] => {
                Ok(Message { message_type, family: *family, attributes: attributes.to_vec() })
            }
            _ => Err(WireError::Malformed("a message of nf_tables without a header".into())),
        }
    }

    /// `NFT_MSG_*`; none in a message of another subsystem.
    pub(crate) fn kind(&self) -> Option<libc::c_int> {
        (self.message_type & 0xff00 == SUBSYSTEM).then_some(libc::c_int::from(self.message_type & 0xff))
    }

    pub(crate) fn is(&self, kind: libc::c_int) -> bool {
        self.kind() == Some(kind)
    }
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.message_type
    }

    fn buffer_len(&self) -> usize {
        HEADER + self.attributes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..HEADER].copy_from_slice(&[self.family, 0, 0, 0]);
        buffer[HEADER..HEADER + self.attributes.len()].copy_from_slice(&self.attributes);
    }
}

impl NetlinkDeserializable for Message {
    type Error = WireError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Message, WireError> {
        Message::parse(header.message_type, payload)
    }
}

/// The crate's own accessor ties the value to the buffer's view instead of to the bytes.
fn value_of(nla: NlaBuffer<&[u8]>) -> (u16, &[u8]) {
    let (kind, length) = (nla.kind(), nla.value_length());
    (kind, &nla.into_inner()[NLA_HEADER_SIZE..][..length])
}

/// Attributes one after the other: their numbers, without flags, and their values.
pub(crate) struct Attributes<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Attributes<'a> {
    /// All that these bytes hold.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Attributes<'a>, WireError> {
        let attributes = NlasIterator::new(bytes).map(|nla| nla.map(value_of));
        let attributes: Result<_, _> = attributes.collect();
        attributes.map(Attributes).map_err(|error| WireError::Malformed(error.to_string()))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        self.0.iter().copied()
    }

    pub(crate) fn value(&self, number: u16) -> Option<&'a [u8]> {
        self.all().find(|(kind, _)| *kind == number).map(|(_, value)| value)
    }

    /// A 32-bit number; nf_tables has them in network byte order.
    pub(crate) fn number(&self, number: u16) -> Option<u32> {
        self.value(number)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// A string; empty where there is none.
    pub(crate) fn text(&self, number: u16) -> String {
        self.value(number).map(Attributes::as_text).unwrap_or_default()
    }

    /// A value as a string, without its zero byte.
    pub(crate) fn as_text(value: &[u8]) -> String {
        String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
    }
}
