//! Is it a known DNS-over-HTTPS or DNS-over-TLS endpoint?
//!
//! Lookups made there would go unseen by the sinkhole, so while `doh.enabled` is false these are denied in *every* mode
//! and no rule allows them: in observe mode they would hide the very names that the run is meant to record.

use std::{collections::HashSet, net::IpAddr, sync::LazyLock};

use crate::{Name, Pattern, addresses, rules::Index};

/// The port of DNS over TLS (RFC 7858). Nothing is allowed on it.
pub const DOT_PORT: u16 = 853;

/// Whether `name` serves encrypted DNS to the public.
pub fn is_resolver_name(name: &Name) -> bool {
    RESOLVERS.names.name(name, 0).named
}

/// Whether `address`, or an IPv4 address inside it, is that of a public resolver.
pub fn is_resolver_address(address: IpAddr) -> bool {
    let known = |address| RESOLVERS.addresses.contains(&address);
    match address {
        IpAddr::V4(_) => known(address),
        IpAddr::V6(v6) => known(address) || addresses::embedded(v6).any(|inner| known(IpAddr::V4(inner))),
    }
}

struct Resolvers {
    names: Index,
    addresses: HashSet<IpAddr>,
}

/// A line that is neither is caught by the test below, before any release.
static RESOLVERS: LazyLock<Resolvers> = LazyLock::new(|| Resolvers {
    names: Index::of_patterns(lines().filter_map(|line| Pattern::parse(line).ok())),
    addresses: lines().filter_map(|line| line.parse().ok()).collect(),
});

fn lines() -> impl Iterator<Item = &'static str> {
    let text = include_str!("data/resolvers.txt");
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_file_is_an_address_or_a_pattern() {
        assert!(lines().count() > 100);
        for line in lines() {
            assert!(line.parse::<IpAddr>().is_ok() || Pattern::parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn public_resolvers_are_known_by_name_and_address() {
        for text in [
            "dns.google",
            "dns64.dns.google",
            "mozilla.cloudflare-dns.com",
            "abc123.dns.nextdns.io",
            "_dns.resolver.arpa",
            "use-application-dns.net",
        ] {
            assert!(is_resolver_name(&Name::parse(text).expect(text)), "{text}");
        }
        for text in ["google.com", "cloudflare.com", "nextdns.io", "quad9.net", "mydns.google.example"] {
            assert!(!is_resolver_name(&Name::parse(text).expect(text)), "{text}");
        }
        for text in ["8.8.8.8", "2606:4700:4700::1111", "::ffff:9.9.9.9"] {
            assert!(is_resolver_address(text.parse().expect(text)), "{text}");
        }
        assert!(!is_resolver_address([11, 0, 0, 1].into()));
    }
}
