//! What is around a workload while it runs? What copies, watches, hears and remembers for it.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use bottle_images::changed::Snapshot;
use bottle_netns::airlock::Watches;
use tokio::sync::oneshot;

use crate::airlock::Airlock;
use crate::attest::Vigil;
use crate::control::{Control, Demand};
use crate::renew::Recheck;
use crate::renew::backstop::Backstop;
use crate::supervisor::inbound::Acceptor;
use crate::supervisor::signals::Signals;
use crate::supervisor::stdio::Relays;
use crate::supervisor::terminal::Terminal;
use crate::supervisor::watch::Watcher;
use crate::workload::WorkloadError;

/// What is around a workload while it runs.
pub(crate) struct Attendants {
    pub(crate) output: Output,
    pub(crate) master: Option<OwnedFd>,
    pub(crate) watcher: Watcher,
    pub(crate) signals: Signals,
    pub(crate) before: Snapshot,
    /// Who comes in by published ports, where there are some.
    pub(crate) acceptor: Option<Acceptor>,
    /// What others ask, where they can.
    pub(crate) control: Option<Control>,
    /// What it takes to measure the bottle again, and when that is done unasked.
    pub(crate) recheck: Arc<Recheck>,
    pub(crate) backstop: Backstop,
    /// Until when it may take to end, once it was asked to.
    pub(crate) stopped: Option<Instant>,
}

/// What copies the workload's output.
pub(crate) enum Output {
    Relays(Relays),
    Terminal(Terminal),
}

/// What was found, unless somebody wants the run to end before the trees have been looked through.
async fn looked_through(
    before: &mut oneshot::Receiver<Snapshot>,
    signals: &mut Signals,
) -> Result<Snapshot, WorkloadError> {
    tokio::select! {
        biased;
        before = before => before.map_err(|_| WorkloadError::Snapshot),
        number = signals.asked_to_end() => Err(WorkloadError::Forestalled(number)),
    }
}

impl Attendants {
    /// Takes them from the airlock, when the shared trees have been looked through.
    pub(crate) async fn gather(
        airlock: &mut Airlock,
        master: Option<OwnedFd>,
        vigil: Vigil,
    ) -> Result<Attendants, WorkloadError> {
        let Vigil { listening, mut signals, recheck } = vigil;
        let step = |step| move |source| WorkloadError::Step { step, source };
        // First, since it may take long, and what changes meanwhile is seen below.
        let before = looked_through(&mut airlock.before, &mut signals).await?;
        let watches = std::mem::replace(&mut airlock.space.watches, Watches(Vec::new()));
        let watcher = Watcher::new(watches, listening).map_err(step("watch the namespaces"))?;
        let output = match (&master, airlock.init.streams.take()) {
            (Some(master), _) => {
                let terminal = match &airlock.plan.log {
                    Some((log, _)) => Terminal::logged(master, log),
                    None => Terminal::connect(master),
                };
                Output::Terminal(terminal.map_err(step("connect the terminal"))?)
            }
            (None, Some(streams)) => Output::Relays(streams.hand_over()),
            (None, None) => return Err(WorkloadError::Silent(io::ErrorKind::InvalidData.into())),
        };
        Ok(Attendants {
            output,
            master,
            watcher,
            signals,
            before,
            acceptor: None,
            control: None,
            recheck,
            backstop: Backstop::new(),
            stopped: None,
        })
    }
}

impl Output {
    /// Waits until all that the workload wrote has been written on.
    pub(crate) async fn finished(&mut self) -> io::Result<()> {
        match self {
            Output::Relays(relays) => relays.finished().await,
            Output::Terminal(terminal) => terminal.finished().await,
        }
    }
}

/// What is asked by those who can.
pub(crate) async fn demanded(control: &mut Option<Control>) -> Demand {
    match control {
        Some(control) => control.next().await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tree_that_takes_long_to_look_through_does_not_keep_a_run_from_being_ended() {
        let (_looking, mut before) = oneshot::channel();
        let mut signals = Signals::listen().unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).unwrap();
        let error = looked_through(&mut before, &mut signals).await.unwrap_err();
        assert!(matches!(error, WorkloadError::Forestalled(libc::SIGHUP)), "{error}");
        assert_eq!(error.exit_code(), 129);
    }
}
