//! How are netlink attributes written that the packet crate has no types for?

use netlink_packet_core::{DefaultNla, Emitable, NLA_F_NESTED, Nla};

/// A 32-bit number in network byte order, as nf_tables wants all of them.
pub(crate) fn number(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_be_bytes().to_vec())
}

/// A 64-bit number in network byte order.
pub(crate) fn long(kind: u16, value: u64) -> DefaultNla {
    DefaultNla::new(kind, value.to_be_bytes().to_vec())
}

/// A 16-bit number in network byte order.
pub(crate) fn short(kind: u16, value: u16) -> DefaultNla {
    DefaultNla::new(kind, value.to_be_bytes().to_vec())
}

/// A string with its zero byte.
pub(crate) fn string(kind: u16, value: &str) -> DefaultNla {
    let mut bytes = value.as_bytes().to_vec();
    bytes.push(0);
    DefaultNla::new(kind, bytes)
}

/// Attributes within an attribute.
pub(crate) fn nested<T: Nla>(kind: u16, attributes: &[T]) -> DefaultNla {
    DefaultNla::new(kind | NLA_F_NESTED, emitted(attributes))
}

/// Attributes one after the other.
pub(crate) fn emitted<T: Nla>(attributes: &[T]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}
