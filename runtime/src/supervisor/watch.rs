//! What would mean that the binding no longer holds? Listened for, and polled where the kernel does not tell.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use bottle_netns::Layout;
use bottle_netns::airlock::{Sysctl, Watches};
use tokio::io::unix::AsyncFd;

/// How often the settings are read that change without a notification.
pub const POLLED_EVERY: Duration = Duration::from_secs(1);

/// Something changed that must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// A stable code: `link`, `ruleset`, `sysctl`, `gate`, `dialler`.
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

/// The notification sockets and settings of one bottle, on the current tokio runtime.
pub struct Watcher {
    watches: Watches,
    ready: Vec<AsyncFd<std::os::fd::OwnedFd>>,
    sysctls: Vec<Sysctl>,
    layout: Layout,
}

impl Watcher {
    /// Takes over what listens.
    pub fn new(watches: Watches, sysctls: Vec<Sysctl>) -> io::Result<Watcher> {
        let ready = watches.0.iter().map(|watch| crate::sys::register(watch.fd.as_fd().try_clone_to_owned()?));
        let ready = ready.collect::<io::Result<_>>()?;
        Ok(Watcher { watches, ready, sysctls, layout: Layout::default() })
    }

    /// Waits for the first drift. What came since [`Watcher::noticed`] counts too.
    pub async fn drift(&self) -> Drift {
        tokio::select! {
            drift = self.announced() => drift,
            drift = self.polled() => drift,
        }
    }

    /// What has come by now, without waiting: announced, or found by reading the settings.
    pub fn noticed(&self) -> Option<Drift> {
        self.heard().or_else(|| self.sysctls.iter().find_map(changed))
    }

    fn heard(&self) -> Option<Drift> {
        let change = self.watches.drain(&self.layout).into_iter().next()?;
        let kind = serde_json::to_value(change.kind).ok();
        let kind = kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
        Some(Drift::new(&kind, format!("{} namespace: {}", change.side, change.what)))
    }

    async fn announced(&self) -> Drift {
        loop {
            if let Some(drift) = self.heard() {
                return drift;
            }
            if let Err(error) = self.any_ready().await {
                return Drift::new("watch", error.to_string());
            }
        }
    }

    /// Waits until a socket has something, and forgets that it had: what is there is drained next.
    async fn any_ready(&self) -> io::Result<()> {
        let [a, b, c, d] = &self.ready[..] else { return Err(io::Error::other("there are not four watches")) };
        let mut guard = tokio::select! {
            guard = a.readable() => guard?,
            guard = b.readable() => guard?,
            guard = c.readable() => guard?,
            guard = d.readable() => guard?,
        };
        guard.clear_ready();
        Ok(())
    }

    async fn polled(&self) -> Drift {
        let mut clock = tokio::time::interval(POLLED_EVERY);
        loop {
            clock.tick().await;
            if let Some(drift) = self.sysctls.iter().find_map(changed) {
                return drift;
            }
        }
    }
}

fn changed(sysctl: &Sysctl) -> Option<Drift> {
    let drift = |is: &str| {
        let detail = format!("{} namespace: /proc/sys/{} was {:?}, is {is}", sysctl.side, sysctl.path, sysctl.expected);
        Some(Drift::new("sysctl", detail))
    };
    match sysctl.read() {
        Ok(value) if value == sysctl.expected => None,
        Ok(value) => drift(&format!("{value:?}")),
        Err(error) => drift(&format!("unreadable: {error}")),
    }
}
