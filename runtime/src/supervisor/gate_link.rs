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

/// The supervisor's end of the gate's channel, alive as long as this is.
pub struct GateLink {
    channel: Arc<AsyncChannel>,
    incoming: mpsc::Receiver<Result<FromGate, Drift>>,
}

impl GateLink {
    /// Starts the task on the current tokio runtime.
    pub fn new(channel: AsyncChannel) -> GateLink {
        let channel = Arc::new(channel);
        let (sender, incoming) = mpsc::channel(QUEUE);
        tokio::spawn(pass_on(Arc::clone(&channel), sender));
        GateLink { channel, incoming }
    }

    /// Sends one message.
    pub async fn send(&self, message: &ToGate) -> io::Result<()> {
        self.channel.send(message, &[]).await
    }

    /// The next message that is no heartbeat, or why there is none any more. Safe to drop halfway.
    pub async fn recv(&mut self) -> Result<FromGate, Drift> {
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
