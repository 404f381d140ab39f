//! Is the gate serving, draining or cut? It only ever goes forward.

use tokio::sync::watch;

/// How far the gate's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    Draining,
    Cut,
}

/// The phase, and everyone who waits for the next.
#[derive(Debug)]
pub(super) struct Phases(watch::Sender<Phase>);

impl Default for Phases {
    fn default() -> Phases {
        Phases(watch::Sender::new(Phase::Serving))
    }
}

impl Phases {
    pub(super) fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let forward = to > *phase;
            *phase = to.max(*phase);
            forward
        });
    }

    /// Returns once the gate is in this phase or a later one.
    pub(super) async fn reached(&self, phase: Phase) {
        // The sender lives as long as `self`, so the wait can't fail.
        let _ = self.0.subscribe().wait_for(|now| *now >= phase).await;
    }
}
