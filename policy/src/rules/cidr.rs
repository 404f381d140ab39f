//! Which range of addresses does a text mean, and may a policy name it?

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::lease;

/// Why a text is not a range that a policy may name.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CidrError {
    /// Neither an address nor a network.
    #[error("not an address or a network in CIDR form")]
    NotANetwork,
    /// Bits after the prefix are set.
    #[error("the address has bits set beyond its prefix; the network is {0}")]
    HostBits(IpNet),
    /// It holds addresses that stand for names inside the bottle.
    #[error("it overlaps {0}, whose addresses stand for names inside the bottle")]
    Pool(IpNet),
}

impl CidrError {
    /// What to write instead.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotANetwork => Some("write `10.20.0.0/16`, `10.20.0.1` or `fd00:1::/32`; names go under `domains`"),
            Self::HostBits(_) => Some("write the network, or /32 (IPv6: /128) for one address"),
            Self::Pool(_) => {
                Some("name the networks that are needed; `mode: observe` allows every public address and records it")
            }
        }
    }
}

/// Reads an address or a network. A range of v4-mapped addresses means the IPv4 range.
pub fn parse_cidr(text: &str) -> Result<IpNet, CidrError> {
    let net = read_net(text).ok_or(CidrError::NotANetwork)?;
    if net.trunc() != net {
        return Err(CidrError::HostBits(net.trunc()));
    }
    check_pool(unmapped(net))
}

/// Stricter than `ipnet`, which takes leading zeros in an address.
fn read_net(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().ok()?;
    match length {
        None => Some(IpNet::from(address)),
        Some(length) if length.len() > 1 && length.starts_with(['0', '+']) => None,
        Some(length) => IpNet::new(address, length.parse().ok()?).ok(),
    }
}

fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(v4), Some(length)) => Ipv4Net::new(v4, length).map_or(net, IpNet::V4),
        _ => net,
    }
}

/// The gate and the agent hold addresses of fd28::/64 inside the sealed pair, as the pool does for IPv4.
const PAIR: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfd28, 0, 0, 0, 0, 0, 0, 0), 64);

fn check_pool(net: IpNet) -> Result<IpNet, CidrError> {
    let own = match net {
        IpNet::V4(_) => IpNet::V4(lease::POOL),
        IpNet::V6(_) => IpNet::V6(PAIR),
    };
    let overlaps = net.contains(&own) || own.contains(&net);
    if overlaps { Err(CidrError::Pool(own)) } else { Ok(net) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_network_or_one_address() {
        for (text, meant) in [
            ("10.20.0.0/16", "10.20.0.0/16"),
            ("10.20.0.1", "10.20.0.1/32"),
            ("fd00:1::/32", "fd00:1::/32"),
            ("::1", "::1/128"),
            ("::ffff:127.0.0.0/104", "127.0.0.0/8"),
        ] {
            assert_eq!(parse_cidr(text).map(|net| net.to_string()), Ok(meant.to_owned()));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "010.0.0.0/8",
            "0xa.0.0.0/8",
            "example.com",
            "10.0.0.0/",
            "10.0.0.0/08x",
            "fe80::1%eth0",
        ] {
            assert_eq!(parse_cidr(text), Err(CidrError::NotANetwork), "{text}");
        }
        assert!(matches!(parse_cidr("10.20.0.1/16"), Err(CidrError::HostBits(_))));
    }

    #[test]
    fn ranges_that_overlap_the_pool_are_refused() {
        for text in [
            "0.0.0.0/0",
            "28.0.0.0/8",
            "28.1.2.3",
            "24.0.0.0/5",
            "::ffff:28.0.0.0/104",
            "::ffff:0.0.0.0/96",
            "fd28::/64",
            "fd00::/8",
            "::/0",
        ] {
            assert!(matches!(parse_cidr(text), Err(CidrError::Pool(_))), "{text}");
        }
    }
}
