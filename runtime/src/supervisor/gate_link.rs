//! How does the supervisor hear the gate? By a thread of its own, so that whatever else takes long delays no heartbeat.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::recorder::Recorder;
use super::watch::Drift;
use crate::channel::{Channel, why_unheard};
use crate::gate::message::{FromGate, ToGate};
use crate::heartbeat::{self, PATIENCE};
use crate::thread;

/// The supervisor's end of the gate's channel: what the gate reports is recorded, what is left over comes here.
pub struct GateLink {
    channel: Arc<Channel>,
    incoming: mpsc::UnboundedReceiver<Result<Begun, GateEnd>>,
}

/// How the gate ended.
#[derive(Debug, PartialEq, Eq)]
pub enum GateEnd {
    /// It said why.
    Said(Drift),
    /// It did not: its channel is closed, or silent.
    Silent(Drift),
}

impl GateEnd {
    /// What it means for the run.
    pub fn drift(self) -> Drift {
        match self {
            GateEnd::Said(drift) | GateEnd::Silent(drift) => drift,
        }
    }
}

/// The gate has forgotten the probes.
struct Begun;

impl GateLink {
    /// Starts the thread, which ends with the gate or its silence.
    pub fn serve(channel: Channel, recorder: Arc<Recorder>) -> io::Result<GateLink> {
        channel.limit_sending(PATIENCE)?;
        let channel = Arc::new(channel);
        let (sender, incoming) = mpsc::unbounded_channel();
        let own = Arc::clone(&channel);
        thread::begin(move || {
            let mut begun = false;
            loop {
                let message = next(&own, &recorder).and_then(|word| once(&mut begun, word));
                let last = message.is_err();
                if sender.send(message).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(GateLink { channel, incoming })
    }

    /// For who sends to the gate from elsewhere.
    pub(crate) fn channel(&self) -> Arc<Channel> {
        Arc::clone(&self.channel)
    }

    /// Sends one message. A gate that reads nothing for too long is an error.
    pub fn send(&self, message: &ToGate) -> io::Result<()> {
        self.channel.send(message, &[])
    }

    /// Waits until the gate has begun anew.
    pub async fn begun(&mut self) -> Result<(), Drift> {
        self.next().await.map(|Begun| ()).map_err(GateEnd::drift)
    }

    /// Waits for the gate's end. Safe to drop halfway.
    pub async fn ended(&mut self) -> GateEnd {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }

    async fn next(&mut self) -> Result<Begun, GateEnd> {
        self.incoming.recv().await.unwrap_or_else(|| Err(GateEnd::Silent(Drift::new("gate", "it is gone"))))
    }
}

/// It begins anew once.
fn once(begun: &mut bool, word: Begun) -> Result<Begun, GateEnd> {
    if std::mem::replace(begun, true) { Err(out_of_turn()) } else { Ok(word) }
}

fn out_of_turn() -> GateEnd {
    GateEnd::Said(Drift::new("gate", "it said something out of turn"))
}

/// Answers and records until there is something for the supervisor itself.
fn next(channel: &Channel, recorder: &Recorder) -> Result<Begun, GateEnd> {
    let gone = |error: io::Error| GateEnd::Silent(Drift::new("gate", why_unheard(&error)));
    loop {
        if !heartbeat::heard(channel).map_err(gone)? {
            return Err(GateEnd::Silent(Drift::new("gate", "it is stopped")));
        }
        match channel.recv::<FromGate>().map_err(gone)?.0 {
            FromGate::Beat => match channel.send(&ToGate::Beat, &[]) {
                // It is gone, and what it said last is heard next: perhaps why.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                answered => answered.map_err(gone)?,
            },
            FromGate::Begun => return Ok(Begun),
            FromGate::Failed(why) => return Err(GateEnd::Said(Drift::new("gate", why.join(": ")))),
            FromGate::DiallerEnded(why) => return Err(GateEnd::Said(Drift::new("dialler", why))),
            FromGate::Ready => return Err(out_of_turn()),
            FromGate::Answered { connections } => recorder.answered(connections),
            FromGate::InboundEnded { connection, ended, inward, outward, millis } => {
                recorder.inbound_ended(connection, ended, [inward, outward, millis]);
            }
            message @ (FromGate::NameDenied { .. } | FromGate::PacketRefused { .. }) => recorder.refused(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use bottle_evidence::key::SigningKey;
    use bottle_policy::Rules;

    use super::*;
    use crate::supervisor::ledger::Ledger;

    fn link() -> (GateLink, Channel, tempfile::TempDir) {
        let (ours, theirs) = Channel::pair().unwrap();
        let (link, directory) = link_over(ours);
        (link, theirs, directory)
    }

    fn link_over(channel: Channel) -> (GateLink, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let key = Arc::new(SigningKey::from_seed([7; 32]));
        let ledger = Ledger::open(&directory.path().join("audit.jsonl"), key).unwrap();
        let recorder = Arc::new(Recorder::new(ledger, Arc::new(Rules::deny_all()), Box::new(|_| ())));
        (GateLink::serve(channel, recorder).unwrap(), directory)
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn heartbeats_are_answered_whatever_the_supervisor_does() {
        let (_link, gate, _directory) = link();
        gate.send(&FromGate::Beat, &[]).unwrap();
        assert!(matches!(gate.recv::<ToGate>().unwrap().0, ToGate::Beat));
    }

    #[test]
    fn a_gate_that_says_why_it_fails_is_quoted() {
        let (mut link, gate, _directory) = link();
        gate.send(&FromGate::Begun, &[]).unwrap();
        gate.send(&FromGate::Failed(vec!["serve".into(), "no memory".into()]), &[]).unwrap();
        assert_eq!(wait(link.ended()), GateEnd::Said(Drift::new("gate", "serve: no memory")));
    }

    #[test]
    fn a_gate_that_ends_since_the_dialler_has_names_the_dialler() {
        let (mut link, gate, _directory) = link();
        gate.send(&FromGate::DiallerEnded("it is gone".into()), &[]).unwrap();
        drop(gate);
        assert_eq!(wait(link.ended()), GateEnd::Said(Drift::new("dialler", "it is gone")));
    }

    #[test]
    fn a_gate_that_ends_before_its_heartbeat_is_answered_is_heard_out() {
        let (ours, gate) = Channel::pair().unwrap();
        gate.send(&FromGate::Beat, &[]).unwrap();
        gate.send(&FromGate::DiallerEnded("it is gone".into()), &[]).unwrap();
        drop(gate);
        let (mut link, _directory) = link_over(ours);
        assert_eq!(wait(link.ended()), GateEnd::Said(Drift::new("dialler", "it is gone")));
    }

    #[test]
    fn a_gate_that_says_something_out_of_turn_is_not_listened_to_any_more() {
        for again in [FromGate::Begun, FromGate::Ready] {
            let (mut link, gate, _directory) = link();
            gate.send(&FromGate::Begun, &[]).unwrap();
            gate.send(&again, &[]).unwrap();
            assert_eq!(wait(link.ended()).drift().detail, "it said something out of turn");
        }
    }

    #[test]
    fn the_end_of_its_channel_is_the_end_of_the_gate() {
        let (mut link, gate, _directory) = link();
        drop(gate);
        assert!(matches!(wait(link.ended()), GateEnd::Silent(drift) if drift.what == "gate"));
    }
}
