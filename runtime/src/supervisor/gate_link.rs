//! How does the supervisor hear the gate? By a task that answers its heartbeats and passes everything else on.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::watch::Drift;
use crate::async_channel::AsyncChannel;
use crate::gate::message::{FromGate, ToGate};
use crate::heartbeat::Pulse;

/// Messages kept while the supervisor is busy; a gate that says more has to wait.
const QUEUE: usize = 256;

/// After so many messages whoever else waits comes first: a gate that never stops talking keeps nobody from being heard.
/// Well below what tokio lets one task take at once (128), or the others would find nothing left.
const SHARE: u32 = 32;

/// The supervisor's end of the gate's channel, alive as long as this is.
pub struct GateLink {
    channel: Arc<AsyncChannel>,
    incoming: mpsc::Receiver<Result<FromGate, Drift>>,
    taken: u32,
}

impl GateLink {
    /// Starts the task on the current tokio runtime.
    pub fn new(channel: AsyncChannel) -> GateLink {
        let channel = Arc::new(channel);
        let (sender, incoming) = mpsc::channel(QUEUE);
        tokio::spawn(pass_on(Arc::clone(&channel), sender));
        GateLink { channel, incoming, taken: 0 }
    }

    /// Sends one message.
    pub async fn send(&self, message: &ToGate) -> io::Result<()> {
        self.channel.send(message, &[]).await
    }

    /// The next message that is no heartbeat, or why there is none any more. Safe to drop halfway.
    pub async fn recv(&mut self) -> Result<FromGate, Drift> {
        if self.taken == SHARE {
            self.taken = 0;
            tokio::task::yield_now().await;
        }
        self.taken += 1;
        self.incoming.recv().await.unwrap_or_else(|| Err(Drift::new("gate", "it is gone")))
    }
}

async fn pass_on(channel: Arc<AsyncChannel>, sender: mpsc::Sender<Result<FromGate, Drift>>) {
    let mut pulse = Pulse::new();
    loop {
        let message = tokio::select! {
            biased;
            message = channel.recv::<FromGate>() => message,
            () = tokio::time::sleep_until(pulse.deadline()) => Err(io::Error::new(io::ErrorKind::TimedOut, "it is stopped")),
        };
        let message = match message {
            Ok((FromGate::Beat, _)) => {
                pulse.beat();
                // A gate that is gone is noticed by the next receive.
                let _ = channel.send(&ToGate::Beat, &[]).await;
                continue;
            }
            Ok((FromGate::Failed(why), _)) => Err(Drift::new("gate", why.join(": "))),
            Ok((message, _)) => Ok(message),
            Err(error) => Err(Drift::new("gate", error.to_string())),
        };
        let last = message.is_err();
        if sender.send(message).await.is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;

    #[test]
    fn a_gate_that_never_stops_talking_keeps_nobody_from_being_heard() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(async {
            let (ours, theirs) = Channel::pair().unwrap();
            let mut link = GateLink::new(AsyncChannel::new(ours).unwrap());
            (0..2 * SHARE).for_each(|_| theirs.send(&FromGate::Begun, &[]).unwrap());
            while link.incoming.len() < 2 * SHARE as usize {
                tokio::task::yield_now().await;
            }
            let talk = async { while link.recv().await.is_ok() {} };
            tokio::select! {
                biased;
                () = talk => panic!("the gate has not ended"),
                () = std::future::ready(()) => {}
            }
            assert_eq!(link.incoming.len(), SHARE as usize);
        });
    }
}
