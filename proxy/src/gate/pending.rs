//! Which connections have not shown what they are, and which of them goes when there are too many? The oldest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All pending connections of a gate, in the order in which they came.
#[derive(Debug)]
pub(super) struct Pending {
    waiting: Arc<Mutex<Waiting>>,
    most: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    order: BTreeMap<u64, Entry>,
    next: u64,
    /// Of those that are pending, and of those that are held.
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    bytes: usize,
    evicted: Arc<Notify>,
}

/// One pending connection's place. Dropping it gives the place up.
#[derive(Debug)]
pub(super) struct Ticket {
    waiting: Arc<Mutex<Waiting>>,
    number: u64,
    most_bytes: usize,
    evicted: Arc<Notify>,
}

/// Bytes that were judged and wait to go on: they count, though their connection has no place to lose any more.
#[derive(Debug)]
pub(super) struct Held {
    waiting: Arc<Mutex<Waiting>>,
    bytes: usize,
}

impl Pending {
    pub(super) fn new(most: usize, most_bytes: usize) -> Pending {
        Pending { waiting: Arc::default(), most, most_bytes }
    }

    /// A place for one more; the oldest loses its own where there would be too many.
    pub(super) fn enter(&self) -> Ticket {
        let mut waiting = lock(&self.waiting);
        while waiting.order.len() >= self.most && waiting.evict_oldest() {}
        let number = waiting.next;
        waiting.next += 1;
        let evicted = Arc::new(Notify::new());
        waiting.order.insert(number, Entry { bytes: 0, evicted: Arc::clone(&evicted) });
        Ticket { waiting: Arc::clone(&self.waiting), number, most_bytes: self.most_bytes, evicted }
    }

    /// Takes the oldest one's place away; false if none is pending.
    pub(super) fn evict_oldest(&self) -> bool {
        lock(&self.waiting).evict_oldest()
    }
}

impl Waiting {
    fn evict_oldest(&mut self) -> bool {
        let Some((_, entry)) = self.order.pop_first() else {
            return false;
        };
        self.bytes -= entry.bytes;
        entry.evicted.notify_one();
        true
    }
}

impl Ticket {
    /// The connection holds this many more bytes; the oldest go until all fit, which may be this one.
    pub(super) fn grow(&self, bytes: usize) {
        let mut waiting = lock(&self.waiting);
        if let Some(entry) = waiting.order.get_mut(&self.number) {
            entry.bytes += bytes;
            waiting.bytes += bytes;
        }
        while waiting.bytes > self.most_bytes && waiting.evict_oldest() {}
    }

    /// Gives the place up and goes on holding the bytes; nothing if the place was lost.
    pub(super) fn hold(self) -> Option<Held> {
        let entry = lock(&self.waiting).order.remove(&self.number)?;
        Some(Held { waiting: Arc::clone(&self.waiting), bytes: entry.bytes })
    }

    /// Returns once the place is lost.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut waiting = lock(&self.waiting);
        if let Some(entry) = waiting.order.remove(&self.number) {
            waiting.bytes -= entry.bytes;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.waiting).bytes -= self.bytes;
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_evicted(ticket: &Ticket) -> bool {
        tokio::select! { biased; () = ticket.evicted() => true, () = std::future::ready(()) => false }
    }

    #[tokio::test]
    async fn one_too_many_costs_the_oldest_its_place_and_no_other() {
        let pending = Pending::new(2, 100);
        let tickets = [pending.enter(), pending.enter(), pending.enter()];
        assert!(is_evicted(&tickets[0]).await);
        assert!(!is_evicted(&tickets[1]).await && !is_evicted(&tickets[2]).await);
    }

    #[tokio::test]
    async fn bytes_of_all_are_bounded() {
        let pending = Pending::new(10, 100);
        let (old, new) = (pending.enter(), pending.enter());
        old.grow(60);
        new.grow(60);
        assert!(is_evicted(&old).await);
        assert!(!is_evicted(&new).await);
        new.grow(41);
        assert!(is_evicted(&new).await);
    }

    #[tokio::test]
    async fn bytes_that_are_held_count_and_have_no_place_to_lose() {
        let pending = Pending::new(1, 100);
        let judged = pending.enter();
        judged.grow(60);
        let held = judged.hold().expect("its place was not lost");
        let next = pending.enter();
        assert!(!is_evicted(&next).await);
        next.grow(41);
        assert!(is_evicted(&next).await && next.hold().is_none());
        drop(held);
        let last = pending.enter();
        last.grow(100);
        assert!(!is_evicted(&last).await);
    }

    #[test]
    fn a_place_given_up_is_free_again() {
        let pending = Pending::new(1, 100);
        drop(pending.enter());
        assert!(!pending.evict_oldest());
    }
}
