//! How much may one workload use at the gate, with as many descriptors as the gate may hold?

use bottle_netns::Layout;

/// The bounds of everything that takes a descriptor for each connection.
#[derive(Clone, Debug)]
pub struct GateLimits {
    /// Of the proxy.
    pub proxy: bottle_proxy::gate::Limits,
    /// Of the sinkhole, on each listener.
    pub dns: bottle_dns::Limits,
}

/// Which part of all descriptors is for lookups over TCP: they are few, and each ends in seconds.
const PART_FOR_DNS: usize = 8;

impl GateLimits {
    /// Those with which a gate never runs out of this many descriptors.
    pub fn for_descriptors(descriptors: usize) -> GateLimits {
        let (listeners, most) = (dns_listeners(), bottle_dns::Limits::default());
        let connections = (descriptors / PART_FOR_DNS / listeners).clamp(1, most.connections);
        let rest = descriptors.saturating_sub(connections * listeners);
        GateLimits {
            proxy: bottle_proxy::gate::Limits::for_descriptors(rest),
            dns: bottle_dns::Limits { connections, ..most },
        }
    }
}

/// Over each transport: those in the gate namespace, and those on the workload's loopback.
fn dns_listeners() -> usize {
    let layout = Layout::default();
    layout.dns().len() + layout.loopback_resolvers.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as the proxy sets aside for listeners, channels and the runtime.
    const OTHER: usize = 64;

    #[test]
    fn connections_of_every_kind_fit_into_the_descriptors_there_are() {
        for descriptors in [180, 256, 1024, 20_000, 1 << 20] {
            let GateLimits { proxy, dns } = GateLimits::for_descriptors(descriptors);
            let needed = 2 * proxy.connections + 2 * proxy.pipes + dns_listeners() * dns.connections + OTHER;
            assert!(needed <= descriptors, "{needed} of {descriptors}");
        }
    }
}
