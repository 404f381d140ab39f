//! Which names, addresses and ports does every bottle use inside?
//!
//! The pair of namespaces is sealed, so every bottle uses the same ones: nothing is allocated and
//! nothing can collide.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// One of the two namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Where the workload runs.
    Agent,
    /// Where the listening sockets are.
    Gate,
}

impl Side {
    /// Both, in the order in which everything here lists them.
    pub const BOTH: [Side; 2] = [Side::Agent, Side::Gate];
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::Agent => "agent",
            Side::Gate => "gate",
        })
    }
}

/// One end of the veth pair: its device and its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The name of the device in its namespace.
    pub device: String,
    /// The index of the device. The two ends' differ: the kernel announces a veth end with its peer's index
    /// a second late.
    pub index: u32,
    /// The fixed hardware address.
    pub mac: [u8; 6],
    /// The only IPv4 address, a /32.
    pub v4: Ipv4Addr,
    /// The only IPv6 address, a /128.
    pub v6: Ipv6Addr,
}

/// The fixed facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The workload's end.
    pub agent: End,
    /// The other end.
    pub gate: End,
    /// From where leases are taken: network and prefix length. It is reached over the default route,
    /// like everything else: no prefix of it lies on the link, so none of its addresses is a broadcast.
    pub pool: (Ipv4Addr, u8),
    /// MTU of both ends: the largest that IP knows, so that bulk data moves in few packets.
    pub mtu: u32,
    /// Where TPROXY delivers (127.0.0.1 and ::1 in the gate).
    pub transparent_port: u16,
    /// Where the explicit proxy listens (the gate's own addresses).
    pub explicit_port: u16,
    /// The DNS port, which is taken for every destination.
    pub dns_port: u16,
    /// Resolver addresses on loopback for which there are sockets inside the agent namespace.
    pub loopback_resolvers: Vec<IpAddr>,
    /// The gate's routing table that makes every destination local.
    pub table: u32,
    /// The priority of the rule that sends what comes from the agent to that table.
    pub rule_priority: u32,
    /// The NFLOG group, the same in both namespaces.
    pub log_group: u16,
}

impl Default for Layout {
    fn default() -> Self {
        Layout {
            agent: End {
                device: "eth0".into(),
                index: 28,
                mac: [2, 0, 0, 0, 0, 2],
                v4: Ipv4Addr::new(28, 0, 0, 2),
                v6: Ipv6Addr::new(0xfd28, 0, 0, 0, 0, 0, 0, 2),
            },
            gate: End {
                device: "g0".into(),
                index: 29,
                mac: [2, 0, 0, 0, 0, 1],
                v4: Ipv4Addr::new(28, 0, 0, 1),
                v6: Ipv6Addr::new(0xfd28, 0, 0, 0, 0, 0, 0, 1),
            },
            pool: (Ipv4Addr::new(28, 0, 0, 0), 8),
            mtu: 65535,
            transparent_port: 15001,
            explicit_port: 3128,
            dns_port: 53,
            loopback_resolvers: vec![
                IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)),
                IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)),
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ],
            table: 100,
            rule_priority: 100,
            log_group: 1,
        }
    }
}

impl Layout {
    /// The end that lies in this namespace.
    pub fn end(&self, side: Side) -> &End {
        match side {
            Side::Agent => &self.agent,
            Side::Gate => &self.gate,
        }
    }

    /// The end that lies in the other namespace.
    pub fn peer(&self, side: Side) -> &End {
        match side {
            Side::Agent => &self.gate,
            Side::Gate => &self.agent,
        }
    }

    /// Where the workload finds the explicit proxy.
    pub fn explicit(&self) -> [SocketAddr; 2] {
        [IpAddr::V4(self.gate.v4), IpAddr::V6(self.gate.v6)].map(|address| SocketAddr::new(address, self.explicit_port))
    }

    /// Where TPROXY delivers.
    pub fn transparent(&self) -> [SocketAddr; 2] {
        [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            .map(|address| SocketAddr::new(address, self.transparent_port))
    }

    /// Where the gate's own DNS sockets are bound: any address, both families.
    pub fn dns(&self) -> [SocketAddr; 2] {
        [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)]
            .map(|address| SocketAddr::new(address, self.dns_port))
    }
}
