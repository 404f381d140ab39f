//! What does a run tell its caller while it runs? The library prints nothing; whoever called decides how it looks.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};

use bottle_images::changed::Change;
use tokio::sync::oneshot;

use crate::outcome::Outcome;
use crate::publish::Published;
use crate::thread;

/// Something worth a line to the person who started the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Ports are published at places of the host's that bottle chose.
    Published(Vec<Published>),
    /// A destination was denied for the first time in this run.
    Blocked {
        /// A name, or an address where there was none.
        host: String,
        /// TCP port; `None` for a name that was only looked up.
        port: Option<u16>,
        /// The reason's stable code.
        reason: String,
        /// More about the reason, such as the addresses that a name has; may be empty.
        detail: String,
        /// The option or the edit of the policy that would allow it, if one would.
        allow: Option<String>,
    },
    /// A destination is allowed and could not be reached, for the first time in this run.
    Unreachable {
        /// A name, or an address where there was none.
        host: String,
        /// TCP port.
        port: u16,
        /// What the resolver or the network said.
        why: String,
    },
    /// There were too many destinations for a line each: those that come now are in the audit log only.
    Untold,
    /// The command was executed.
    Running {
        /// The run's id.
        id: String,
    },
    /// Something that is not as one may expect, though nothing failed.
    Warning(String),
    /// The audit log can't be written any more; everything is denied from now on.
    LedgerFailed(String),
    /// The binding no longer holds; the workload is being killed.
    Drift(String),
    /// Files in shared directories that the host would execute later and that the workload changed.
    Changed {
        /// The files, the gravest first.
        files: Vec<Change>,
        /// The file that has all of their names, if it could be written.
        list: Option<PathBuf>,
    },
    /// The command has ended, and so has the run in the log. The last event.
    Over(Box<Outcome>),
}

/// Passes events on from a thread of its own: whoever listens may wait for a terminal that someone has stopped, and
/// neither the watch nor a decision may wait for that. A run tells each thing once, so what waits is bounded.
pub(crate) struct Teller {
    sender: Sender<Event>,
    heard: oneshot::Receiver<Infallible>,
}

impl Teller {
    pub(crate) fn new(mut listener: impl FnMut(Event) + Send + 'static) -> io::Result<Teller> {
        let (sender, events) = channel();
        let (ends, heard) = oneshot::channel();
        thread::begin(move || {
            events.into_iter().for_each(&mut listener);
            drop(ends);
        })?;
        Ok(Teller { sender, heard })
    }

    /// Takes events and never waits. A listener that panicked hears nothing more.
    pub(crate) fn events(&self) -> impl FnMut(Event) + Send + 'static {
        let sender = self.sender.clone();
        move |event| drop(sender.send(event))
    }

    /// Waits until all was heard. What takes events must be gone.
    pub(crate) async fn heard(self) {
        drop(self.sender);
        // Nothing is ever sent: the thread drops the other end.
        let _ = self.heard.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_waits_holds_nobody_up_and_hears_all() {
        let (go, wait) = channel::<()>();
        let (hear, heard) = channel();
        let teller = Teller::new(move |event| {
            wait.recv().unwrap();
            hear.send(event).unwrap();
        })
        .unwrap();
        let events = ["one", "two"].map(|text| Event::Warning(text.to_owned()));
        let mut tell = teller.events();
        events.iter().cloned().for_each(&mut tell);
        assert!(heard.try_recv().is_err());
        drop((tell, go.send(()), go.send(())));
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(teller.heard());
        assert_eq!(heard.iter().collect::<Vec<_>>(), events);
    }
}
