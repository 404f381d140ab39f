//! Which addresses are not of the public internet, and what are they?

mod blocks;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use self::blocks::{EMBEDDING, Form, Kind, SPECIAL_V4, SPECIAL_V6};
use crate::lease;

pub use self::blocks::METADATA;

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
    EMBEDDING.iter().filter(move |(block, _)| block.contains(&address)).map(move |(_, form)| {
        Ipv4Addr::from_bits(match form {
            Form::Low => bits as u32,
            Form::SixToFour => (bits >> 80) as u32,
            Form::Teredo => !(bits as u32),
            Form::Split => (((bits >> 64) as u32 & 0xffff) << 16) | ((bits >> 40) as u32 & 0xffff),
        })
    })
}

fn classify_v4(address: Ipv4Addr) -> Class {
    if lease::POOL.contains(&address) {
        return Class::Pool;
    }
    match SPECIAL_V4.iter().find(|(block, ..)| block.contains(&address)) {
        None => Class::Public,
        Some((_, Kind::Host, _)) => Class::Host,
        Some((block, Kind::LinkLocal, _)) => Class::LinkLocal(IpNet::V4(*block)),
        Some((block, Kind::Special, what)) => Class::Special(IpNet::V4(*block), what),
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    let own = match SPECIAL_V6.iter().find(|(block, ..)| block.contains(&address)) {
        None => Class::Public,
        Some((_, Kind::Host, _)) => Class::Host,
        Some((block, Kind::LinkLocal, _)) => Class::LinkLocal(IpNet::V6(*block)),
        Some((block, Kind::Special, what)) => Class::Special(IpNet::V6(*block), what),
    };
    embedded(address).map(|inner| classify(IpAddr::V4(inner))).fold(own, stricter)
}

fn stricter(own: Class, inner: Class) -> Class {
    match (own, inner) {
        (Class::Host, _) | (_, Class::Public | Class::Special(..)) => own,
        // A link-local rule names the plain form only.
        (_, Class::LinkLocal(_)) => Class::Host,
        (_, Class::Host | Class::Metadata(_) | Class::Pool) => inner,
    }
}

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
            assert!(matches!(class(text), Class::Special(..)), "{text} is {:?}", class(text));
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
            assert!(matches!(class(text), Class::Metadata(_)), "{text} is {:?}", class(text));
        }
        let clouds: std::collections::HashSet<_> = METADATA.iter().flat_map(|(_, clouds)| clouds.split(", ")).collect();
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
