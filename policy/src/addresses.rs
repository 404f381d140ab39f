//! Which addresses are not of the public internet, and what are they?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::lease;

/// What kind of address it is. An address that embeds another (v4-mapped, 6to4, Teredo, NAT64 and so on) is at least as
/// restricted as the one it embeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Globally reachable.
    Public,
    /// In a private or special block: needs `allow_private`, or a range that lies wholly in that block.
    Special(IpNet, &'static str),
    /// In the pool of leases: means nothing outside the bottle.
    Pool,
    /// Link-local: needs a range that lies wholly in that block; `allow_private` does not cover it.
    LinkLocal(IpNet),
    /// A cloud's metadata service: needs an exact range (/32 or /128).
    Metadata(&'static str),
    /// Loopback or unspecified, so the host itself: never reached.
    Host,
}

/// What `address` is.
pub fn classify(address: IpAddr) -> Class {
    if let Some((_, cloud)) = METADATA.iter().find(|(ip, _)| *ip == address) {
        return Class::Metadata(cloud);
    }
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

/// The IPv4 addresses inside `address`, for the forms that embed one.
pub fn embedded(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let bits = address.to_bits();
    EMBEDDING
        .iter()
        .filter(move |(block, _)| block.contains(&address))
        .map(move |(_, form)| {
            Ipv4Addr::from_bits(match form {
                Form::Low => bits as u32,
                Form::SixToFour => (bits >> 80) as u32,
                Form::Teredo => !(bits as u32),
                Form::Split => {
                    (((bits >> 64) as u32 & 0xffff) << 16) | ((bits >> 40) as u32 & 0xffff)
                }
            })
        })
}

fn classify_v4(address: Ipv4Addr) -> Class {
    if lease::POOL.contains(&address) {
        return Class::Pool;
    }
    match SPECIAL_V4
        .iter()
        .find(|(block, ..)| block.contains(&address))
    {
        None => Class::Public,
        Some((_, Kind::Host, _)) => Class::Host,
        Some((block, Kind::LinkLocal, _)) => Class::LinkLocal(IpNet::V4(*block)),
        Some((block, Kind::Special, what)) => Class::Special(IpNet::V4(*block), what),
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    let own = match SPECIAL_V6
        .iter()
        .find(|(block, ..)| block.contains(&address))
    {
        None => Class::Public,
        Some((_, Kind::Host, _)) => Class::Host,
        Some((block, Kind::LinkLocal, _)) => Class::LinkLocal(IpNet::V6(*block)),
        Some((block, Kind::Special, what)) => Class::Special(IpNet::V6(*block), what),
    };
    embedded(address)
        .map(|inner| classify(IpAddr::V4(inner)))
        .fold(own, stricter)
}

fn stricter(own: Class, inner: Class) -> Class {
    match (own, inner) {
        (Class::Host, _) | (_, Class::Public | Class::Special(..)) => own,
        // A link-local rule names the plain form only.
        (_, Class::LinkLocal(_)) => Class::Host,
        (_, Class::Host | Class::Metadata(_) | Class::Pool) => inner,
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Special,
    LinkLocal,
    Host,
}

#[derive(Clone, Copy)]
enum Form {
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
const SPECIAL_V4: &[(Ipv4Net, Kind, &str)] = &[
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
const SPECIAL_V6: &[(Ipv6Net, Kind, &str)] = &[
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

const EMBEDDING: &[(Ipv6Net, Form)] = &[
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
    (
        meta4(169, 254, 169, 254),
        "AWS, Google, Azure, Oracle, DigitalOcean, Hetzner, OpenStack, IBM",
    ),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> Class {
        classify(text.parse().expect(text))
    }

    #[test]
    fn every_special_block_is_known() {
        let special = [
            "10.1.2.3",
            "100.64.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::ffff:8.8.4.4",
            "::ffff:0:8.8.4.4",
            "::8.8.4.4",
            "64:ff9b::808:404",
            "64:ff9b:1:808:4:400:808:404",
            "100::1",
            "2001:0:808::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:808:404::1",
            "3fff::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
            "5f00::1",
            "8000::1",
            "1000::1",
        ];
        for text in special {
            assert!(
                matches!(class(text), Class::Special(..)),
                "{text} is {:?}",
                class(text)
            );
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for text in [
            "11.0.0.1",
            "8.8.4.4",
            "99.255.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1",
            "2a00::1",
            "2001:4860::1",
        ] {
            assert_eq!(class(text), Class::Public, "{text}");
        }
    }

    #[test]
    fn loopback_and_unspecified_are_the_host_in_every_spelling() {
        let spellings = [
            "127.0.0.1",
            "127.255.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1:7f00:0:100:808:404",
            "2002:7f00:1::",
            "2001:0:1:1:1:1:80ff:fffe",
            "::ffff:0.0.0.0",
        ];
        for text in spellings {
            assert_eq!(class(text), Class::Host, "{text}");
        }
    }

    #[test]
    fn metadata_addresses_are_found_in_every_spelling() {
        let spellings = [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:1:1:1:1:5601:5601",
            "fd00:ec2::254",
            "fd20:ce::254",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "169.254.0.23",
            "fe80::a9fe:a9fe",
            "::ffff:168.63.129.16",
        ];
        for text in spellings {
            assert!(
                matches!(class(text), Class::Metadata(_)),
                "{text} is {:?}",
                class(text)
            );
        }
        let clouds: std::collections::HashSet<_> = METADATA
            .iter()
            .flat_map(|(_, clouds)| clouds.split(", "))
            .collect();
        assert!(clouds.len() >= 5);
    }

    #[test]
    fn link_local_is_its_own_class() {
        for text in ["169.254.1.1", "fe80::1"] {
            assert!(matches!(class(text), Class::LinkLocal(_)), "{text}");
        }
        assert_eq!(class("::ffff:169.254.1.1"), Class::Host);
    }

    #[test]
    fn the_pool_is_its_own_class() {
        assert_eq!(class("28.1.2.3"), Class::Pool);
        assert_eq!(class("::ffff:28.1.2.3"), Class::Pool);
    }

    #[test]
    fn blocks_and_forms_are_written_with_their_host_bits_clear() {
        assert!(SPECIAL_V4.iter().all(|(block, ..)| block.trunc() == *block));
        assert!(SPECIAL_V6.iter().all(|(block, ..)| block.trunc() == *block));
        assert!(EMBEDDING.iter().all(|(block, _)| block.trunc() == *block));
    }
}
