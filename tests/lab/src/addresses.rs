//! Which addresses does the lab use? All of them count as public, since a sandbox refuses documentation ranges.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The host's own address on its only link, `eth0`.
pub const HOST: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 2);
/// The host's own IPv6 address on its only link.
pub const HOST_V6: Ipv6Addr = Ipv6Addr::new(0x2600, 0xdb, 0, 0, 0, 0, 0, 2);
/// The internet's end of that link: the host's default gateway.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 1);
/// The IPv6 default gateway.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0x2600, 0xdb, 0, 0, 0, 0, 0, 1);
/// Length of the prefix that host and gateway share.
pub const LINK_PREFIX: u8 = 30;
/// Length of the IPv6 prefix that host and gateway share.
pub const LINK_PREFIX_V6: u8 = 64;

/// The resolver in the host's resolv.conf.
pub const DNS: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 53);
/// A resolver that nobody configured; the lab answers on every address, so this one works too.
pub const FOREIGN_DNS: Ipv4Addr = Ipv4Addr::new(11, 8, 8, 8);

/// Names of the default zone that serve the web lie here and at [`WEB_V6`].
pub const WEB: Ipv4Addr = Ipv4Addr::new(11, 1, 0, 1);
/// The web's IPv6 address.
pub const WEB_V6: Ipv6Addr = Ipv6Addr::new(0x2600, 0xdb, 1, 0, 0, 0, 0, 1);
/// Where an attacker listens.
pub const ATTACKER: Ipv4Addr = Ipv4Addr::new(11, 6, 6, 6);
/// The attacker's IPv6 address.
pub const ATTACKER_V6: Ipv6Addr = Ipv6Addr::new(0x2600, 0xdb, 6, 0, 0, 0, 0, 6);

/// Packets to this /16 are answered "host unreachable".
pub const UNREACHABLE: Ipv4Addr = Ipv4Addr::new(11, 255, 0, 0);
/// Packets to this /16 vanish.
pub const BLACKHOLE: Ipv4Addr = Ipv4Addr::new(11, 254, 0, 0);
/// Packets to this /48 are answered "no route".
pub const UNREACHABLE_V6: Ipv6Addr = Ipv6Addr::new(0x2600, 0xdb, 0xffff, 0, 0, 0, 0, 0);
/// Packets to this /48 vanish.
pub const BLACKHOLE_V6: Ipv6Addr = Ipv6Addr::new(0x2600, 0xdb, 0xfffe, 0, 0, 0, 0, 0);
