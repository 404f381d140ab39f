//! Which signals sent to `bottle run` go on to the workload, and which say something else?

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that are forwarded, and those that say something to bottle itself.
pub struct Signals {
    forwarded: [(i32, Signal); 6],
    suspend: Signal,
    resized: Signal,
    children: Signal,
}

/// What arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// A signal for the workload, by number.
    Forward(i32),
    /// The terminal has another size now.
    Resized,
    /// Somebody wants the run suspended (Ctrl-Z).
    Suspend,
    /// A child of ours was stopped, went on or ended.
    Child,
}

impl Signals {
    /// Takes these signals over from their defaults. Needs a tokio runtime.
    pub fn listen() -> io::Result<Signals> {
        let take = |number: i32| Ok::<_, io::Error>((number, signal(SignalKind::from_raw(number))?));
        Ok(Signals {
            forwarded: [
                take(libc::SIGINT)?,
                take(libc::SIGTERM)?,
                take(libc::SIGHUP)?,
                take(libc::SIGQUIT)?,
                take(libc::SIGUSR1)?,
                take(libc::SIGUSR2)?,
            ],
            suspend: signal(SignalKind::from_raw(libc::SIGTSTP))?,
            resized: signal(SignalKind::window_change())?,
            children: signal(SignalKind::child())?,
        })
    }

    /// The next one. Safe to drop halfway.
    pub async fn next(&mut self) -> Arrived {
        let [a, b, c, d, e, f] = &mut self.forwarded;
        tokio::select! {
            _ = a.1.recv() => Arrived::Forward(a.0),
            _ = b.1.recv() => Arrived::Forward(b.0),
            _ = c.1.recv() => Arrived::Forward(c.0),
            _ = d.1.recv() => Arrived::Forward(d.0),
            _ = e.1.recv() => Arrived::Forward(e.0),
            _ = f.1.recv() => Arrived::Forward(f.0),
            _ = self.suspend.recv() => Arrived::Suspend,
            _ = self.resized.recv() => Arrived::Resized,
            _ = self.children.recv() => Arrived::Child,
        }
    }

    /// Whether this one asks whoever gets it to end.
    pub fn asks_to_end(number: i32) -> bool {
        matches!(number, libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT)
    }

    /// The next one that asks whoever gets it to end; others stay for [`Signals::next`]. Safe to drop halfway.
    pub async fn asked_to_end(&mut self) -> i32 {
        let [interrupt, terminate, hang_up, quit, ..] = &mut self.forwarded;
        tokio::select! {
            _ = interrupt.1.recv() => interrupt.0,
            _ = terminate.1.recv() => terminate.0,
            _ = hang_up.1.recv() => hang_up.0,
            _ = quit.1.recv() => quit.0,
        }
    }
}
