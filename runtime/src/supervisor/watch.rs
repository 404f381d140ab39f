//! What would mean that the binding no longer holds? Listened for, and polled where the kernel does not tell.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::Poll;
use std::time::Duration;

use bottle_netns::Airlock;
use bottle_netns::Layout;
use bottle_netns::airlock::{Sysctl, Watches};
use bottle_netns::survey::Listening;
use bottle_netns::watch::Change;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, Interval, interval_at};

use crate::report::chain;

/// How often the settings and sockets are asked for that change without a notification.
pub const POLLED_EVERY: Duration = Duration::from_secs(1);

/// The most changes that one drift names, of those that were announced together.
const NAMED: usize = 2;

/// Something changed that must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// A stable code: `link`, `ruleset`, `listener`, `sysctl`, `gate`, `dialler`.
    pub what: String,
    /// In words.
    pub detail: String,
}

impl Drift {
    /// A drift of this kind.
    pub fn new(what: &str, detail: impl Into<String>) -> Drift {
        Drift { what: what.to_owned(), detail: detail.into() }
    }
}

/// The notification sockets, settings and listening sockets of one bottle, on the current tokio runtime.
pub struct Watcher {
    watches: Watches,
    ready: Vec<AsyncFd<OwnedFd>>,
    listening: Listening,
    layout: Layout,
    clock: Interval,
}

impl Watcher {
    /// Takes over what listens.
    pub fn new(watches: Watches, listening: Listening) -> io::Result<Watcher> {
        let ready = watches.0.iter().map(|watch| crate::sys::register(watch.fd.as_fd().try_clone_to_owned()?));
        let ready = ready.collect::<io::Result<_>>()?;
        // [`Watcher::noticed`] polls first. The clock goes on whatever else happens, so that nothing puts the next poll off.
        let clock = interval_at(Instant::now() + POLLED_EVERY, POLLED_EVERY);
        Ok(Watcher { watches, ready, listening, layout: Layout::default(), clock })
    }

    /// Waits for the first drift. What came since [`Watcher::noticed`] counts too.
    pub async fn drift(&mut self, space: &Airlock) -> Drift {
        loop {
            if let Some(drift) = self.heard() {
                return drift;
            }
            let (ready, clock) = (&self.ready, &mut self.clock);
            tokio::select! {
                heard = any_ready(ready) => if let Err(error) = heard {
                    return Drift::new("watch", error.to_string());
                },
                _ = clock.tick() => if let Some(drift) = self.found(space) {
                    return drift;
                },
            }
        }
    }

    /// What has come by now, without waiting: announced, or found by asking for settings and sockets.
    pub fn noticed(&self, space: &Airlock) -> Option<Drift> {
        self.heard().or_else(|| self.found(space))
    }

    /// One deed is often announced in several notifications. The first says of what kind it is.
    fn heard(&self) -> Option<Drift> {
        let changes = self.watches.drain(&self.layout);
        let mut drift = changes.first().map(drifted)?;
        let mut others: Vec<&str> = changes.iter().map(|change| change.what.as_str()).collect();
        others.dedup();
        others.iter().skip(1).take(NAMED - 1).for_each(|what| drift.detail.push_str(&format!("; {what}")));
        Some(drift)
    }

    /// What the kernel does not announce.
    fn found(&self, space: &Airlock) -> Option<Drift> {
        let setting = space.sysctls.iter().find_map(changed);
        setting.or_else(|| match self.listening.changed(&space.desks) {
            Ok(change) => change.as_ref().map(drifted),
            Err(error) => Some(Drift::new("watch", chain(&error).join(": "))),
        })
    }
}

/// Waits until a socket has something, and forgets that it had: what is there is drained next.
async fn any_ready(sockets: &[AsyncFd<OwnedFd>]) -> io::Result<()> {
    poll_fn(|context| {
        let mut ready = sockets.iter().map(|socket| socket.poll_read_ready(context));
        // Each is asked until one is ready: those that are not wake this task later.
        match ready.find(Poll::is_ready) {
            Some(Poll::Ready(guard)) => Poll::Ready(guard.map(|mut guard| guard.clear_ready())),
            _ => Poll::Pending,
        }
    })
    .await
}

fn drifted(change: &Change) -> Drift {
    let kind = serde_json::to_value(change.kind).ok();
    let kind = kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
    Drift::new(&kind, format!("{} namespace: {}", change.side, change.what))
}

fn changed(sysctl: &Sysctl) -> Option<Drift> {
    let is = sysctl.deviation()?;
    let detail = format!("{} namespace: /proc/sys/{} was {:?}, is {is}", sysctl.side, sysctl.path, sysctl.expected);
    Some(Drift::new("sysctl", detail))
}
