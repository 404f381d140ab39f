//! When is a connection of two directions over?

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::Refusal;

/// Bytes so far, readable while the connection runs.
#[derive(Debug, Default)]
pub struct Traffic {
    /// From the workload.
    pub up: AtomicU64,
    /// To the workload.
    pub down: AtomicU64,
}

impl Traffic {
    fn total(&self) -> u64 {
        self.up.load(Ordering::Relaxed).wrapping_add(self.down.load(Ordering::Relaxed))
    }
}

/// Why one direction stopped before its end of file.
#[derive(Debug)]
pub enum Stop {
    /// Its source broke off.
    Source(io::Error),
    /// Its sink takes no more; the other direction learns of that by itself.
    Sink(io::Error),
    /// What it carried is denied.
    Denied(Refusal),
}

/// How the whole ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Both directions reached their end of file.
    Closed,
    /// Nothing moved for too long.
    Idle,
    /// One side broke off; the other must see the same.
    Reset,
    /// Denied while it ran.
    Denied(Refusal),
}

/// How long nothing may move.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// While both directions are open.
    pub open: Duration,
    /// After one of them ended.
    pub half_closed: Duration,
}

/// Drives both directions to their end.
pub async fn join(
    up: impl Future<Output = Result<(), Stop>>,
    down: impl Future<Output = Result<(), Stop>>,
    traffic: &Traffic,
    idle: Idle,
) -> End {
    tokio::pin!(up, down);
    let (mut up_done, mut down_done, mut broken) = (false, false, false);
    let mut limit = idle.open;
    while !(up_done && down_done) {
        let ended = tokio::select! {
            ended = &mut up, if !up_done => { up_done = true; ended }
            ended = &mut down, if !down_done => { down_done = true; ended }
            () = stillness(traffic, limit) => return End::Idle,
        };
        match ended {
            Ok(()) => {}
            Err(Stop::Sink(_)) => broken = true,
            Err(Stop::Source(_)) => return End::Reset,
            Err(Stop::Denied(refusal)) => return End::Denied(refusal),
        }
        limit = idle.half_closed;
    }
    if broken { End::Reset } else { End::Closed }
}

/// Returns when no byte moved for `limit`, or up to a quarter longer: looking now and then costs less than a clock at every byte.
async fn stillness(traffic: &Traffic, limit: Duration) {
    const LOOKS: u32 = 4;
    let (mut last, mut still) = (traffic.total(), 0);
    while still < LOOKS {
        sleep(limit / LOOKS).await;
        let now = traffic.total();
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::Instant;

    use super::*;

    const IDLE: Idle = Idle { open: Duration::from_secs(100), half_closed: Duration::from_secs(20) };

    fn broken() -> io::Error {
        io::ErrorKind::ConnectionReset.into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_ends_at_its_idle_limit() {
        let start = Instant::now();
        assert_eq!(join(pending(), pending(), &Traffic::default(), IDLE).await, End::Idle);
        assert_eq!(start.elapsed(), Duration::from_secs(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_closed_connection_ends_sooner() {
        let start = Instant::now();
        assert_eq!(join(ready(Ok(())), pending(), &Traffic::default(), IDLE).await, End::Idle);
        assert_eq!(start.elapsed(), Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn one_byte_a_minute_is_not_idle() {
        let traffic = Traffic::default();
        let start = Instant::now();
        let slow = async {
            for _ in 0..60 {
                sleep(Duration::from_secs(60)).await;
                traffic.up.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        assert_eq!(join(slow, pending(), &traffic, IDLE).await, End::Idle);
        assert!(start.elapsed() >= Duration::from_secs(3600));
    }

    #[tokio::test]
    async fn a_source_that_breaks_ends_both_at_once() {
        assert_eq!(join(ready(Err(Stop::Source(broken()))), pending(), &Traffic::default(), IDLE).await, End::Reset);
    }

    #[tokio::test]
    async fn a_sink_that_breaks_lets_the_other_direction_finish() {
        let down = async {
            tokio::task::yield_now().await;
            Ok(())
        };
        assert_eq!(join(ready(Err(Stop::Sink(broken()))), down, &Traffic::default(), IDLE).await, End::Reset);
    }
}
