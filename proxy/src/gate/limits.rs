//! How much of everything may one workload use at the gate?

use std::time::Duration;

use crate::relay::Idle;

/// Bounds on connections, memory and time. All are per gate.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections of every kind. One takes up to two descriptors.
    pub connections: usize,
    /// Connections whose first bytes are awaited; one more denies the oldest.
    pub pending: usize,
    /// Bytes read but not yet judged, of all connections together.
    pub pending_bytes: usize,
    /// From accept, or from the first byte where the server speaks first, until the first bytes can be classified.
    pub first_bytes: Duration,
    /// For the dialler's answer.
    pub open: Duration,
    /// How long a connection may be still.
    pub idle: Idle,
    /// Pipes for bulk, made at the start.
    pub pipes: usize,
}

/// Descriptors that listeners, channels and the runtime need.
const OTHER_DESCRIPTORS: usize = 64;

impl Limits {
    /// The limits that fit a process which may hold this many descriptors.
    pub fn for_descriptors(descriptors: usize) -> Limits {
        let limits = Limits::default();
        let room = descriptors.saturating_sub(OTHER_DESCRIPTORS + 2 * limits.pipes) / 2;
        let connections = limits.connections.min(room).max(1);
        Limits { connections, pending: limits.pending.min(connections.div_ceil(2)), ..limits }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 8192,
            pending: 4096,
            pending_bytes: 16 << 20,
            first_bytes: Duration::from_secs(20),
            open: Duration::from_secs(60),
            idle: Idle { open: Duration::from_secs(3600), half_closed: Duration::from_secs(600) },
            pipes: 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_the_descriptors_there_are() {
        for descriptors in [100, 256, 1024, 20_000, 1 << 20] {
            let limits = Limits::for_descriptors(descriptors);
            assert!(2 * limits.connections + 2 * limits.pipes + OTHER_DESCRIPTORS <= descriptors, "{descriptors}");
            assert!(limits.pending <= limits.connections);
        }
    }
}
