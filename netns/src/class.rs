//! Into which classes do refusals fall?

use serde::{Deserialize, Serialize};

/// A class of refused packets. Each has exactly one counter in a namespace where it can occur, and a
/// refused packet is counted in exactly one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// UDP over IPv4, other than DNS.
    Udp4,
    /// UDP over IPv6, other than DNS.
    Udp6,
    /// ICMP.
    Icmp4,
    /// ICMPv6, other than multicast listener reports.
    Icmp6,
    /// SCTP over IPv4.
    Sctp4,
    /// SCTP over IPv6.
    Sctp6,
    /// IGMP and multicast listener reports. The kernel sends these by itself.
    Membership,
    /// Any other protocol over IPv4: DCCP, UDP-Lite, GRE, raw.
    Other4,
    /// Any other protocol over IPv6.
    Other6,
    /// A source address that is not the agent's own.
    Spoofed,
    /// Connection attempts above the rate that the gate takes.
    Flood,
    /// Connection attempts while nothing listened.
    Unheard,
    /// Frames that are not IPv4 or IPv6, or that are for another hardware address.
    Frame,
    /// Packets that reached the agent and are no answer to anything.
    Inbound,
    /// Packets that belong nowhere: they passed the gate's first chain, or go on with a connection that nothing listens to.
    Stray,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 15] = [
        Class::Udp4,
        Class::Udp6,
        Class::Icmp4,
        Class::Icmp6,
        Class::Sctp4,
        Class::Sctp6,
        Class::Membership,
        Class::Other4,
        Class::Other6,
        Class::Spoofed,
        Class::Flood,
        Class::Unheard,
        Class::Frame,
        Class::Inbound,
        Class::Stray,
    ];

    /// The name of its counter, of its log prefix, and in records.
    pub fn name(self) -> &'static str {
        match self {
            Class::Udp4 => "udp4",
            Class::Udp6 => "udp6",
            Class::Icmp4 => "icmp4",
            Class::Icmp6 => "icmp6",
            Class::Sctp4 => "sctp4",
            Class::Sctp6 => "sctp6",
            Class::Membership => "membership",
            Class::Other4 => "other4",
            Class::Other6 => "other6",
            Class::Spoofed => "spoofed",
            Class::Flood => "flood",
            Class::Unheard => "unheard",
            Class::Frame => "frame",
            Class::Inbound => "inbound",
            Class::Stray => "stray",
        }
    }

    /// The class with this name.
    pub fn named(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.name() == name)
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
