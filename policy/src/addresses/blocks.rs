//! Which blocks of addresses are special, which forms embed another address, and where do clouds answer?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Special,
    LinkLocal,
    Host,
}

#[derive(Clone, Copy)]
pub(super) enum Form {
    /// The last 32 bits.
    Low,
    /// The 32 bits after the first 16.
    SixToFour,
    /// The last 32 bits, inverted.
    Teredo,
    /// Around the byte after bit 64, as after a prefix of 48 bits (RFC 6052).
    Split,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(bits: u128, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), length)
}

/// The first match counts. Source: the IANA registry of IPv4 special-purpose addresses, and RFC 1112 for 240.0.0.0/4.
pub(super) const SPECIAL_V4: &[(Ipv4Net, Kind, &str)] = &[
    (v4(0, 0, 0, 0, 8), Kind::Host, "this network"),
    (v4(10, 0, 0, 0, 8), Kind::Special, "private"),
    (v4(100, 64, 0, 0, 10), Kind::Special, "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), Kind::Host, "loopback"),
    (v4(169, 254, 0, 0, 16), Kind::LinkLocal, "link-local"),
    (v4(172, 16, 0, 0, 12), Kind::Special, "private"),
    (v4(192, 0, 0, 0, 24), Kind::Special, "protocol assignments"),
    (v4(192, 0, 2, 0, 24), Kind::Special, "documentation"),
    (v4(192, 31, 196, 0, 24), Kind::Special, "AS112"),
    (v4(192, 52, 193, 0, 24), Kind::Special, "multicast tunnels"),
    (v4(192, 88, 99, 0, 24), Kind::Special, "6to4 relays"),
    (v4(192, 168, 0, 0, 16), Kind::Special, "private"),
    (v4(192, 175, 48, 0, 24), Kind::Special, "AS112"),
    (v4(198, 18, 0, 0, 15), Kind::Special, "benchmarks"),
    (v4(198, 51, 100, 0, 24), Kind::Special, "documentation"),
    (v4(203, 0, 113, 0, 24), Kind::Special, "documentation"),
    (v4(224, 0, 0, 0, 4), Kind::Special, "multicast"),
    (v4(240, 0, 0, 0, 4), Kind::Special, "reserved"),
];

/// The first match counts. Source: the IANA registry of IPv6 special-purpose addresses; what lies outside 2000::/3 and
/// is not listed is unassigned, hence reserved.
pub(super) const SPECIAL_V6: &[(Ipv6Net, Kind, &str)] = &[
    (v6(0, 128), Kind::Host, "unspecified"),
    (v6(1, 128), Kind::Host, "loopback"),
    (v6(0xffff << 32, 96), Kind::Special, "v4-mapped"),
    (v6(0xffff << 48, 96), Kind::Special, "v4-translated"),
    (v6(0, 96), Kind::Special, "v4-compatible"),
    (v6(0x64_ff9b << 96, 96), Kind::Special, "NAT64"),
    (v6(0x64_ff9b_0001 << 80, 48), Kind::Special, "local NAT64"),
    (v6(0x100 << 112, 64), Kind::Special, "discard-only"),
    (v6(0x2001 << 112, 32), Kind::Special, "Teredo"),
    (v6(0x2001 << 112, 23), Kind::Special, "protocol assignments"),
    (v6(0x2001_0db8 << 96, 32), Kind::Special, "documentation"),
    (v6(0x2002 << 112, 16), Kind::Special, "6to4"),
    (v6(0x3fff << 112, 20), Kind::Special, "documentation"),
    (v6(0xfc << 120, 7), Kind::Special, "unique local"),
    (v6(0xfe80 << 112, 10), Kind::LinkLocal, "link-local"),
    (v6(0xfec0 << 112, 10), Kind::Special, "site-local"),
    (v6(0xff << 120, 8), Kind::Special, "multicast"),
    (v6(0, 3), Kind::Special, "reserved"),
    (v6(0x4000 << 112, 2), Kind::Special, "reserved"),
    (v6(0x8000 << 112, 1), Kind::Special, "reserved"),
];

pub(super) const EMBEDDING: &[(Ipv6Net, Form)] = &[
    (v6(0xffff << 32, 96), Form::Low),
    (v6(0xffff << 48, 96), Form::Low),
    (v6(0, 96), Form::Low),
    (v6(0x64_ff9b << 96, 96), Form::Low),
    (v6(0x64_ff9b_0001 << 80, 48), Form::Low),
    (v6(0x64_ff9b_0001 << 80, 48), Form::Split),
    (v6(0x2001 << 112, 32), Form::Teredo),
    (v6(0x2002 << 112, 16), Form::SixToFour),
];

const fn meta4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn meta6(bits: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(bits))
}

/// Addresses at which clouds hand credentials or identity to whoever asks. Source: each cloud's own documentation.
pub const METADATA: &[(IpAddr, &str)] = &[
    (meta4(169, 254, 169, 254), "AWS, Google, Azure, Oracle, DigitalOcean, Hetzner, OpenStack, IBM"),
    (meta4(169, 254, 170, 2), "AWS container credentials"),
    (meta4(169, 254, 170, 23), "AWS pod identity"),
    (meta6(0xfd00_0ec2_u128 << 96 | 0x254), "AWS"),
    (meta6(0xfd00_0ec2_u128 << 96 | 0x23), "AWS pod identity"),
    (meta6(0xfd20_00ce_u128 << 96 | 0x254), "Google"),
    (meta4(168, 63, 129, 16), "Azure wire server"),
    (meta4(192, 0, 0, 192), "Oracle"),
    (meta4(100, 100, 100, 200), "Alibaba"),
    (meta4(169, 254, 0, 23), "Tencent"),
    (meta4(169, 254, 42, 42), "Scaleway"),
    (meta6(0xfd00_0042_u128 << 96 | 0x42), "Scaleway"),
    (meta4(100, 96, 0, 96), "Volcano Engine"),
    (meta6(0xfd00_a9fe_a9fe_u128 << 80 | 1), "Linode"),
    (meta6(0xfe80_u128 << 112 | 0xa9fe_a9fe), "OpenStack"),
];
