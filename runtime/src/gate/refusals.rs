//! What was refused without a connection? Denied names and packets, told to the supervisor in bounded number.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bottle_dns::{Denials, Noted, Repeats, Tally};
use bottle_netns::nflog;
use bottle_policy::Reason;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::message::FromGate;
use crate::async_channel::AsyncChannel;

/// How often repeated denials are told. The first one of a name is told at once.
const INTERVAL: Duration = Duration::from_secs(5);
/// Messages kept for a supervisor that is busy. Packets that do not fit are in the exact counters all the same, and of
/// names the number is kept.
const QUEUE: usize = 256;
/// Longest datagram of the packet log that is read: a header and the first bytes of each packet.
const DATAGRAM: usize = 64 * 1024;

/// Collects what is to be told.
#[derive(Debug)]
pub(super) struct Refusals {
    state: Mutex<State>,
    /// Held while messages are sent: who tells the rest finds what another has not sent.
    turn: tokio::sync::Mutex<()>,
    wake: Notify,
    /// The packet logs of both namespaces, non-blocking.
    logs: Vec<OwnedFd>,
}

#[derive(Debug, Default)]
struct State {
    names: Repeats,
    queue: VecDeque<FromGate>,
    /// Denied queries that did not fit.
    left_out: Option<Tally>,
}

impl Refusals {
    pub(super) fn new(logs: Vec<OwnedFd>) -> Refusals {
        Refusals { state: Mutex::default(), turn: Default::default(), wake: Notify::new(), logs }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, message: FromGate) {
        let mut state = self.lock();
        if state.queue.len() < QUEUE {
            state.queue.push_back(message);
            self.wake.notify_one();
        } else if let FromGate::NameDenied { count, reason, .. } = message {
            Tally { count, reason }.add(&mut state.left_out);
        }
    }

    /// Forgets all that the probes provoked: the kernel delivers at once, so it is all there to be thrown away.
    pub(super) fn begin(&self) {
        self.drain();
        *self.lock() = State::default();
    }

    /// Takes up what the packet logs still hold, and what was repeated.
    pub(super) fn finish(&self) {
        self.drain();
        self.repeated();
    }

    fn drain(&self) {
        let mut buffer = vec![0; DATAGRAM];
        for log in &self.logs {
            while let Ok(length) = rustix::io::read(log, &mut buffer[..]) {
                self.described(&buffer[..length]);
            }
        }
    }

    fn described(&self, datagram: &[u8]) {
        nflog::parse(datagram).into_iter().for_each(|refusal| self.push(told(refusal)));
    }

    /// Sends what there is to tell. Safe to drop halfway: what was not sent stays.
    pub(super) async fn tell(&self, supervisor: &AsyncChannel) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        let mut telling = Telling { refusals: self, messages: self.take() };
        while let Some(message) = telling.messages.front() {
            supervisor.send(message, &[]).await?;
            telling.messages.pop_front();
        }
        Ok(())
    }

    fn take(&self) -> VecDeque<FromGate> {
        let mut state = self.lock();
        let mut messages = std::mem::take(&mut state.queue);
        messages.extend(state.left_out.take().map(|left_out| denied(OTHERS, "several", left_out)));
        messages
    }

    fn repeated(&self) {
        let repeated = self.lock().names.drain();
        for name in repeated {
            self.push(denied(name.name.as_deref().unwrap_or(OTHERS), "several", name.again));
        }
    }
}

/// What is being sent; the rest goes back to the front of the queue.
struct Telling<'a> {
    refusals: &'a Refusals,
    messages: VecDeque<FromGate>,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if !self.messages.is_empty() {
            let mut state = self.refusals.lock();
            self.messages.append(&mut state.queue);
            std::mem::swap(&mut state.queue, &mut self.messages);
        }
    }
}

/// What stands for all names beyond those that are counted one by one.
const OTHERS: &str = "(others)";

fn denied(name: &str, kind: &str, tally: Tally) -> FromGate {
    let Tally { count, reason } = tally;
    FromGate::NameDenied { name: name.to_owned(), kind: kind.to_owned(), reason, count }
}

impl Denials for Refusals {
    fn denied(&self, name: &str, qtype: &str, reason: Reason) {
        let once = Tally { count: 1, reason };
        let noted = self.lock().names.note(name, reason);
        match noted {
            Noted::First => self.push(denied(name, qtype, once)),
            Noted::FirstOther => self.push(denied(OTHERS, qtype, once)),
            Noted::Repeated => {}
        }
    }
}

/// Tells the supervisor, as it comes and at intervals.
pub(super) async fn report(supervisor: Arc<AsyncChannel>, refusals: Arc<Refusals>) -> io::Result<Infallible> {
    let mut clock = tokio::time::interval_at(Instant::now() + INTERVAL, INTERVAL);
    loop {
        tokio::select! {
            () = refusals.wake.notified() => {}
            _ = clock.tick() => refusals.repeated(),
        }
        refusals.tell(&supervisor).await?;
    }
}

/// Reads one namespace's packet log. The kernel drops what comes too fast, and says so with ENOBUFS.
pub(super) async fn packets(socket: OwnedFd, refusals: Arc<Refusals>) -> io::Result<Infallible> {
    let socket = crate::sys::register(socket)?;
    loop {
        let mut guard = socket.readable().await?;
        // Only while it is needed: most of the time nothing is refused.
        let mut buffer = vec![0; DATAGRAM];
        let received = guard.try_io(|inner| Ok(rustix::io::read(inner.get_ref(), &mut buffer[..])?));
        match received {
            Ok(Ok(length)) => refusals.described(&buffer[..length]),
            Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
}

fn told(refusal: nflog::Refusal) -> FromGate {
    FromGate::PacketRefused {
        class: refusal.class,
        protocol: refusal.protocol,
        source_port: refusal.source_port,
        destination: refusal.destination,
        port: refusal.port,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::channel::Channel;

    #[tokio::test]
    async fn what_was_not_sent_when_telling_was_broken_off_is_told_later() {
        let (ours, _theirs) = Channel::pair().unwrap();
        let ours = AsyncChannel::new(ours).unwrap();
        while timeout(Duration::ZERO, ours.send(&0, &[])).await.is_ok() {}
        let refusals = Refusals::new(Vec::new());
        refusals.denied("a.example", "A", Reason::NoRule);
        assert!(timeout(Duration::ZERO, refusals.tell(&ours)).await.is_err(), "there is no room");
        refusals.denied("b.example", "A", Reason::NoRule);
        let told = refusals.take();
        let names: Vec<&str> = told.iter().map(name).collect();
        assert_eq!(names, ["a.example", "b.example"]);
    }

    /// As at the end of a run, when the loop that tells is broken off while the last words are said.
    #[tokio::test]
    async fn who_tells_the_rest_waits_for_what_another_is_telling() {
        let (ours, theirs) = Channel::pair().unwrap();
        let ours = AsyncChannel::new(ours).unwrap();
        while timeout(Duration::ZERO, ours.send(&0, &[])).await.is_ok() {}
        let refusals = Refusals::new(Vec::new());
        refusals.denied("a.example", "A", Reason::NoRule);
        let mut first = Box::pin(refusals.tell(&ours));
        assert!(timeout(Duration::ZERO, &mut first).await.is_err(), "there is no room");
        let mut rest = std::pin::pin!(refusals.tell(&ours));
        assert!(timeout(Duration::ZERO, &mut rest).await.is_err(), "nothing was told yet");
        drop(first);
        theirs.recv::<u32>().unwrap();
        rest.await.unwrap();
        assert!(refusals.take().is_empty());
    }

    fn name(message: &FromGate) -> &str {
        if let FromGate::NameDenied { name, .. } = message { name } else { panic!("{message:?}") }
    }

    #[test]
    fn queries_that_do_not_fit_are_counted() {
        let refusals = Refusals::new(Vec::new());
        let names = 3 * QUEUE as u64;
        (0..names).for_each(|number| refusals.denied(&format!("{number}.example"), "A", Reason::NoRule));
        let told = refusals.take();
        let count = |message: &FromGate| if let FromGate::NameDenied { count, .. } = message { *count } else { 0 };
        assert_eq!((told.len(), told.iter().map(count).sum::<u64>()), (QUEUE + 1, names));
        assert!(refusals.take().is_empty());
    }

    #[test]
    fn what_stands_for_several_keeps_the_reason_they_share() {
        let refusals = Refusals::new(Vec::new());
        for (name, reason) in [("a.example", Reason::DohEndpoint), ("b.example", Reason::Limit)] {
            (0..2).for_each(|_| refusals.denied(name, "A", reason));
        }
        refusals.repeated();
        let reasons: Vec<Reason> = refusals.take().iter().map(reason).collect();
        assert_eq!(reasons, [Reason::DohEndpoint, Reason::Limit, Reason::DohEndpoint, Reason::Limit]);
        (0..=QUEUE).for_each(|number| refusals.denied(&format!("{number}.example"), "A", Reason::DohEndpoint));
        assert_eq!(refusals.take().iter().last().map(reason), Some(Reason::DohEndpoint), "left out");
    }

    fn reason(message: &FromGate) -> Reason {
        if let FromGate::NameDenied { reason, .. } = message { *reason } else { panic!("{message:?}") }
    }
}
