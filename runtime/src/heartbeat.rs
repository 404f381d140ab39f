//! How does one process know that another one still runs, and is not stopped? It hears from it.
//!
//! A pidfd tells of death, never of SIGSTOP, so both sides of a channel say that they are alive.

use std::time::Duration;

use tokio::time::Instant;

/// How often each side speaks.
pub const INTERVAL: Duration = Duration::from_millis(250);

/// How long silence may last before the other side counts as stopped. Generous against busy machines; a stop lasts.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// When the other side was last heard.
#[derive(Debug)]
pub struct Pulse {
    heard: Instant,
}

impl Pulse {
    /// Heard just now.
    pub fn new() -> Pulse {
        Pulse { heard: Instant::now() }
    }

    /// Heard again.
    pub fn beat(&mut self) {
        self.heard = Instant::now();
    }

    /// When the silence will have been too long.
    pub fn deadline(&self) -> Instant {
        self.heard + PATIENCE
    }
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse::new()
    }
}
