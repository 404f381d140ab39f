//! Which signals sent to `bottle run` go on to the workload, and which say something else?

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that are forwarded, and the one that says that the terminal changed its size.
pub struct Signals {
    forwarded: [(i32, Signal); 6],
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
            _ = self.resized.recv() => Arrived::Resized,
            _ = self.children.recv() => Arrived::Child,
        }
    }
}
