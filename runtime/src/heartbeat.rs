//! How does one process know that another one still runs, and is not stopped? It hears from it.
//!
//! A pidfd tells of death, never of SIGSTOP, so both sides of a channel say that they are alive.

//! On a busy machine the watcher itself may wait long for its turn. So patience is counted in turns of the watcher's own:
//! whoever had several of them, and heard nothing, knows that the other side had none.

use std::io;
use std::time::Duration;

use crate::channel::Channel;

/// How often each side speaks.
pub const INTERVAL: Duration = Duration::from_millis(250);

/// With which beat all that belongs to a start is long over.
pub const SETTLED: u32 = 4;

/// How long silence may last before the other side counts as stopped, on a machine that gives the watcher its turns.
pub const PATIENCE: Duration = TURN.saturating_mul(TURNS);

/// How long a watcher waits before it looks again.
const TURN: Duration = Duration::from_millis(500);

/// In how many turns, one after the other, nothing must be heard.
const TURNS: u32 = 6;

/// When to speak. For the first time after one interval: who has just begun has said so.
pub fn clock() -> tokio::time::Interval {
    tokio::time::interval_at(tokio::time::Instant::now() + INTERVAL, INTERVAL)
}

/// Waits for something to be received, or the end of the other side; `false` when that side is silent for too long.
pub fn heard(channel: &Channel) -> io::Result<bool> {
    for _ in 0..TURNS {
        if channel.wait_readable(TURN)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// In how many turns the other side was not heard.
#[derive(Debug, Default)]
pub struct Pulse {
    missed: u32,
}

impl Pulse {
    /// Heard again.
    pub fn beat(&mut self) {
        self.missed = 0;
    }

    /// Returns when the silence has been too long. Safe to drop halfway.
    pub async fn silent(&mut self) {
        while self.missed < TURNS {
            tokio::time::sleep(TURN).await;
            self.missed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    async fn has_ended(silence: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        std::future::poll_fn(|context| Poll::Ready(pin!(&mut *silence).poll(context).is_ready())).await
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_patience_and_a_beat_renews_it() {
        let mut pulse = Pulse::default();
        for _ in 0..3 {
            let early = tokio::time::timeout(PATIENCE - TURN, pulse.silent()).await;
            assert!(early.is_err(), "it was heard just before");
            pulse.beat();
        }
        assert!(tokio::time::timeout(PATIENCE + INTERVAL, pulse.silent()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_that_was_held_up_does_not_take_that_for_silence() {
        let mut pulse = Pulse::default();
        let mut silence = Box::pin(pulse.silent());
        assert!(!has_ended(&mut silence).await);
        tokio::time::advance(PATIENCE * 10).await;
        assert!(!has_ended(&mut silence).await, "it had one turn");
    }
}
