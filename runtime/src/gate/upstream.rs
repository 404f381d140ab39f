//! How does the gate ask the dialler for a connection? One message there, one back, told apart by the attempt's number.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bottle_proxy::{Attempt, Outcome, Refusal, Upstream};
use tokio::sync::oneshot;

use crate::async_channel::AsyncChannel;
use crate::channel::why_unheard;
use crate::dialler::message::{FromGate, ToGate};

type Answer = Result<OwnedFd, Refusal>;

/// The dialler, as the gate reaches it; all clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct RemoteDialler(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    channel: AsyncChannel,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
}

impl RemoteDialler {
    pub(super) fn new(channel: AsyncChannel) -> RemoteDialler {
        RemoteDialler(Arc::new(Inner { channel, waiting: Mutex::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The dialler is gone, and so nothing can be opened.
#[derive(Debug, thiserror::Error)]
#[error("{}", why_unheard(.0))]
pub(super) struct DiallerEnded(io::Error);

/// Hands the dialler's answers to those who wait for them. A socket that nobody waits for any more is closed.
///
/// # Errors
/// Holds a [`DiallerEnded`].
pub(super) async fn answers(dialler: RemoteDialler) -> io::Result<Infallible> {
    loop {
        // A gate that has no descriptor left for a socket has lost that connection and no other.
        let received = dialler.0.channel.recv_though_short::<ToGate>().await;
        let (message, descriptors) = received.map_err(|error| io::Error::other(DiallerEnded(error)))?;
        let (attempt, answer) = match message {
            ToGate::Opened(attempt) => match descriptors.into_iter().next() {
                Some(socket) => (attempt, Ok(socket)),
                None => (attempt, Err(Refusal::unavailable("no descriptor is left for its socket"))),
            },
            ToGate::Refused(attempt, refusal) => (attempt, Err(refusal)),
            ToGate::Claim => {
                // In a task: a dialler that is busy may read it late, and meanwhile its answers must be taken. Out of turn:
                // behind thousands of connections that wait to be asked for, the answer would seem to be missing.
                let dialler = dialler.clone();
                tokio::spawn(async move { dialler.0.channel.send_out_of_turn(&FromGate::Claimed, &[]).await });
                continue;
            }
        };
        let waiting = dialler.lock().remove(&attempt);
        if let Some(waiting) = waiting {
            // Whoever waited may have given up.
            let _ = waiting.send(answer);
        }
    }
}

impl Upstream for RemoteDialler {
    async fn open(&self, attempt: Attempt) -> Answer {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(attempt.id, sender);
        self.0.channel.send(&FromGate::Open(attempt), &[]).await.map_err(Refusal::unavailable)?;
        receiver.await.unwrap_or_else(|_| Err(Refusal::unavailable("the dialler is gone")))
    }

    async fn ended(&self, outcome: Outcome) {
        // A dialler that is gone ends the loop that reads from it, and with it the gate.
        let _ = self.0.channel.send(&FromGate::Ended(outcome), &[]).await;
    }
}

#[cfg(test)]
mod tests {
    use bottle_policy::{Name, Request, Seen, Target};
    use bottle_proxy::Way;

    use super::*;
    use crate::channel::Channel;

    fn attempt(id: u64) -> Attempt {
        let target = Target::Lease(Name::parse("api.example.com").unwrap());
        let request = Request { target, port: 443, seen: Seen::Nothing };
        let (source, original) = ("28.0.0.2:4000".parse().unwrap(), "28.1.2.3:443".parse().unwrap());
        Attempt { id, source, original, way: Way::Transparent, request, denied: None }
    }

    #[test]
    fn a_question_whether_all_was_taken_is_answered() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(async {
            let (ours, theirs) = Channel::pair().unwrap();
            tokio::spawn(answers(RemoteDialler::new(AsyncChannel::new(ours).unwrap())));
            let theirs = AsyncChannel::new(theirs).unwrap();
            theirs.send(&ToGate::Claim, &[]).await.unwrap();
            assert!(matches!(theirs.recv::<FromGate>().await.unwrap().0, FromGate::Claimed));
        });
    }

    #[test]
    fn the_answer_does_not_wait_behind_thousands_of_connections() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(async {
            let (ours, theirs) = Channel::pair().unwrap();
            let dialler = RemoteDialler::new(AsyncChannel::new(ours).unwrap());
            let theirs = AsyncChannel::new(theirs).unwrap();
            for id in 0..8_000 {
                let dialler = dialler.clone();
                tokio::spawn(async move { dialler.open(attempt(id)).await });
            }
            tokio::spawn(answers(dialler));
            theirs.send(&ToGate::Claim, &[]).await.unwrap();
            // Until all are on their way: some in the channel, the others and the answer waiting for room.
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            let mut before = 0;
            while !matches!(theirs.recv::<FromGate>().await.unwrap().0, FromGate::Claimed) {
                before += 1;
            }
            assert!(before < 4_000, "{before} messages came before");
        });
    }
}
