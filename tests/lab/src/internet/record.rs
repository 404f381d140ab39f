//! Where do services write down what they see? In one journal that grows, and that can be waited for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::journal::{DnsQuery, HttpRequest, Received};

/// All that was seen; the revision rises with each change.
#[derive(Default)]
pub(crate) struct Journal {
    pages: Mutex<Pages>,
    changed: Condvar,
}

#[derive(Default)]
struct Pages {
    revision: u64,
    queries: Vec<DnsQuery>,
    received: Vec<Received>,
}

/// The journal's entry for one connection; closed when dropped.
pub(crate) struct Entry {
    journal: Arc<Journal>,
    at: usize,
}

impl Journal {
    pub(crate) fn query(&self, query: DnsQuery) {
        self.change(|pages| pages.queries.push(query));
    }

    pub(crate) fn open(self: &Arc<Self>, received: Received) -> Entry {
        let at = self.change(|pages| {
            pages.received.push(received);
            pages.received.len() - 1
        });
        Entry { journal: Arc::clone(self), at }
    }

    pub(crate) fn queries(&self) -> Vec<DnsQuery> {
        self.pages().queries.clone()
    }

    pub(crate) fn received(&self) -> (u64, Vec<Received>) {
        let pages = self.pages();
        (pages.revision, pages.received.clone())
    }

    /// Waits until the revision is another one, or for so long; gives the revision.
    pub(crate) fn changed(&self, revision: u64, limit: Duration) -> u64 {
        let waited = self.changed.wait_timeout_while(self.pages(), limit, |pages| pages.revision == revision);
        waited.unwrap_or_else(PoisonError::into_inner).0.revision
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        let mut pages = self.pages();
        let result = change(&mut pages);
        pages.revision += 1;
        self.changed.notify_all();
        result
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    pub(crate) fn count(&self, bytes: &[u8]) {
        self.update(|received| received.count(bytes));
    }

    pub(crate) fn server_name(&self, name: Option<&str>) {
        self.update(|received| received.server_name = name.map(str::to_owned));
    }

    /// Opens a request of this connection, and gives its number.
    pub(crate) fn request(&self, request: HttpRequest) -> usize {
        self.update(|received| {
            received.requests.push(request);
            received.requests.len() - 1
        })
    }

    /// Counts bytes of a request's body, and keeps the first of them.
    pub(crate) fn body(&self, request: usize, bytes: &[u8]) {
        const HEAD: usize = 16 * 1024;
        self.update(|received| {
            let request = &mut received.requests[request];
            request.body_bytes += bytes.len() as u64;
            let room = HEAD.saturating_sub(request.body_head.len()).min(bytes.len());
            request.body_head.extend_from_slice(&bytes[..room]);
        });
    }

    fn update<T>(&self, update: impl FnOnce(&mut Received) -> T) -> T {
        self.journal.change(|pages| update(&mut pages.received[self.at]))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.update(|received| received.closed = true);
    }
}
