//! What becomes of a record that another process sends? An entry, an acknowledgement, and at most one line for the user.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bottle_dns::Tally;
use bottle_evidence::audit::{self, DnsDenied, Entry, Process, Refused};
use bottle_evidence::canonical::MAX_INTEGER;
use bottle_evidence::{Digest, Text, Time};
use bottle_policy::{Request, Rules};
use bottle_proxy::{Ended, Outcome};
use tokio::sync::OwnedSemaphorePermit;

use super::allowance::Allowance;
use super::entries;
use super::ledger::{Ledger, LedgerError};
use super::told::Told;
use crate::dialler::message::{Decision, DecisionRecord};
use crate::event::Event;
use crate::gate::message::FromGate;

/// Who listens to a run's events.
pub type Events = Box<dyn FnMut(Event) + Send>;

/// Turns records into entries. Before the run begins, while probes run, it records nothing and so nothing can be allowed.
pub struct Recorder {
    ledger: Ledger,
    rules: Arc<Rules>,
    state: Mutex<State>,
    told: Mutex<Told>,
    events: Mutex<Events>,
}

/// Reports of the gate at once: each name that the sinkhole tells apart, and as many packets. A compromised one can't fill the disk.
const BURST: u32 = 8192;

/// How long one more takes to be earned.
const EACH: Duration = Duration::from_millis(4);

/// Which decisions can be recorded.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Probes run: denials are acknowledged without an entry.
    #[default]
    Probing,
    /// All.
    Running,
    /// None: everything was cut.
    Over,
}

struct State {
    phase: Phase,
    allowance: Allowance,
    /// Denied queries beyond the allowance: counted, and written as one entry later.
    left_out: Option<Tally>,
    /// Decisions in the log of this run.
    decided: u64,
    /// Connections of which nobody decides, as the gate said last.
    answered: u64,
    open: HashMap<u64, Request>,
    /// Connections from outside without an outcome; each keeps its place until it has one.
    inbound: HashMap<u64, OwnedSemaphorePermit>,
    failure_told: bool,
}

/// What became of connections.
#[derive(Clone, Copy, Debug)]
pub struct Accounted {
    /// Somebody decided upon so many.
    pub decided: u64,
    /// The gate answered so many itself: to its resolver, and under its own name.
    pub answered: u64,
}

impl State {
    fn new() -> State {
        let allowance = Allowance::new(BURST, EACH, Instant::now());
        let (phase, open, inbound) = (Phase::default(), HashMap::new(), HashMap::new());
        State { phase, allowance, left_out: None, decided: 0, answered: 0, open, inbound, failure_told: false }
    }

    /// The entry for what was left out, if anything was. It counts anew from here on.
    fn others(&mut self) -> Option<Entry> {
        let others = |Tally { count, reason }| DnsDenied {
            name: Text::new(audit::OTHERS),
            qtype: Text::new("several"),
            reason: Text::new(reason.code()),
            count: count.min(MAX_INTEGER),
        };
        self.left_out.take().map(others).map(Entry::DnsDenied)
    }
}

impl Recorder {
    /// A recorder into this log.
    pub fn new(ledger: Ledger, rules: Arc<Rules>, events: Events) -> Recorder {
        let told = Mutex::new(Told::new(Arc::clone(&rules)));
        Recorder { ledger, rules, state: Mutex::new(State::new()), told, events: Mutex::new(events) }
    }

    /// The log itself.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// From now on decisions are recorded. `run.start` is on the disk.
    pub fn begin(&self) {
        self.state().phase = Phase::Running;
    }

    /// Whether decisions are written to the log.
    pub fn is_running(&self) -> bool {
        self.state().phase == Phase::Running
    }

    /// The gate has answered so many connections since it began of which nobody decides.
    pub fn answered(&self, connections: u64) {
        let mut state = self.state();
        // What it says before it has forgotten the probes is about them.
        if state.phase == Phase::Running {
            state.answered = connections;
        }
    }

    /// What became of the connections of the run that the gate took.
    pub fn accounted(&self) -> Accounted {
        let state = self.state();
        Accounted { decided: state.decided, answered: state.answered }
    }

    /// Tells the caller of the run.
    pub fn tell(&self, event: Event) {
        (self.events.lock().unwrap_or_else(PoisonError::into_inner))(event);
    }

    /// Puts the decision about what this process wants into the chain; it counts only after the next successful [`Recorder::commit`].
    pub fn decided(&self, record: &DecisionRecord, process: Process) -> Result<(), NotRecorded> {
        let phase = self.append_decision(record, process)?;
        if let (Phase::Running, Decision::Deny(reason) | Decision::Escalate(reason)) = (phase, &record.decision) {
            self.tell_new(|told| told.denied(&record.attempt.request, *reason));
        }
        Ok(())
    }

    /// Appends it if decisions are recorded now; says which phase it came in.
    fn append_decision(&self, record: &DecisionRecord, process: Process) -> Result<Phase, NotRecorded> {
        // Held throughout, so that what is appended before a cut is cut by it.
        let mut state = self.state();
        match state.phase {
            Phase::Probing => {
                // A probe's denial is in the attestation; nothing else can come, and nothing may be allowed.
                let denied = matches!(record.decision, Decision::Deny(_) | Decision::Escalate(_));
                return if denied { Ok(Phase::Probing) } else { Err(NotRecorded) };
            }
            Phase::Over => return Err(NotRecorded),
            Phase::Running => {}
        }
        let entry = Entry::Decision(entries::decision(record, process, Digest(self.rules.digest())));
        let appended = self.ledger.append(&entry);
        state.decided += u64::from(appended.is_ok());
        state.open.extend(appended.is_ok().then(|| (record.attempt.id, record.attempt.request.clone())));
        drop(state);
        appended.map(|()| Phase::Running).map_err(|error| self.failed(&error))
    }

    /// Puts an outcome into the chain. Outcomes of attempts that are not open are not ours to record.
    pub fn ended(&self, outcome: &Outcome) {
        let Some(request) = self.state().open.remove(&outcome.attempt) else { return };
        self.record(&Entry::Outcome(entries::ended(outcome)));
        self.tell_new(|told| told.ended(&request, outcome));
    }

    /// Ends every attempt and every connection from outside that has no outcome, since its connection is no more, and takes no further decision.
    pub fn cut(&self) {
        let (open, inbound, others) = {
            let mut state = self.state();
            state.phase = Phase::Over;
            (std::mem::take(&mut state.open), std::mem::take(&mut state.inbound), state.others())
        };
        others.iter().for_each(|entry| self.record(entry));
        for attempt in open.into_keys() {
            let entry = audit::Outcome {
                attempt,
                result: audit::Ended::Cut,
                reason: None,
                upstream: None,
                bytes_up: None,
                bytes_down: None,
                millis: None,
            };
            self.record(&Entry::Outcome(entry));
        }
        for connection in inbound.into_keys() {
            self.record(&Entry::InboundOutcome(entries::inbound_ended(connection, Ended::Cut, None)));
        }
    }

    /// Writes that somebody outside has connected to a published port, and returns when that is on the disk. Never before the
    /// run has begun, and never after what it had was cut. The place is free again when the connection has its outcome.
    pub(crate) fn inbound(&self, entry: audit::Inbound, place: OwnedSemaphorePermit) -> Result<(), NotRecorded> {
        let connection = entry.connection;
        {
            // Held, so that nothing is appended after a cut.
            let mut state = self.state();
            if state.phase != Phase::Running {
                return Err(NotRecorded);
            }
            let appended = self.ledger.append(&Entry::Inbound(entry));
            state.inbound.extend(appended.is_ok().then_some((connection, place)));
            drop(state);
            appended.map_err(|error| self.failed(&error))?;
        }
        self.commit().inspect_err(|_| drop(self.state().inbound.remove(&connection)))
    }

    /// Puts the outcome of a connection from outside into the chain: bytes in, bytes out and milliseconds. One that is not open
    /// has none to record.
    pub(crate) fn inbound_ended(&self, connection: u64, ended: Ended, amounts: [u64; 3]) {
        if self.state().inbound.remove(&connection).is_some() {
            self.record(&Entry::InboundOutcome(entries::inbound_ended(connection, ended, Some(amounts))));
        }
    }

    /// Writes that another process is to be started, and returns when that is on the disk. Never before the run has begun, and
    /// never after what it had was cut.
    pub(crate) fn entering(&self, entry: audit::RunExec) -> Result<(), NotRecorded> {
        self.while_running(|ledger| ledger.append(&Entry::RunExec(entry)))
    }

    /// The same for an attestation that the run was given, and that is valid so long.
    pub(crate) fn renewed(&self, entry: audit::RunRenew, valid: &Range<Time>) -> Result<(), NotRecorded> {
        self.while_running(|ledger| ledger.append_while(valid, &Entry::RunRenew(entry)))
    }

    fn while_running(&self, append: impl FnOnce(&Ledger) -> Result<(), LedgerError>) -> Result<(), NotRecorded> {
        {
            // Held, so that nothing is appended after a cut.
            let state = self.state();
            if state.phase != Phase::Running {
                return Err(NotRecorded);
            }
            let appended = append(&self.ledger);
            drop(state);
            appended.map_err(|error| self.failed(&error))?;
        }
        self.commit()
    }

    /// Puts any other entry into the chain.
    pub fn record(&self, entry: &Entry) {
        // A log that fails has said so when it failed.
        let _ = self.ledger.append(entry).map_err(|error| self.failed(&error));
    }

    /// Seals and writes what was put into the chain.
    pub fn commit(&self) -> Result<(), NotRecorded> {
        self.ledger.commit().map_err(|error| self.failed(&error))
    }

    /// What the gate reports besides connections: as much of it as one in order would, and the sum of the rest.
    pub fn refused(&self, message: FromGate) {
        let mut state = self.state();
        if state.phase != Phase::Running {
            return;
        }
        if !state.allowance.take(Instant::now()) {
            // Of packets the kernel has counts of its own.
            if let FromGate::NameDenied { count, reason, .. } = message {
                Tally { count, reason }.add(&mut state.left_out);
            }
            return;
        }
        let others = state.others();
        drop(state);
        others.iter().for_each(|entry| self.record(entry));
        let entry = match message {
            FromGate::NameDenied { name, kind, reason, count } => {
                let (name, qtype) = (Text::new(&name), Text::new(&kind));
                self.tell_new(|told| told.unnamed(name.as_str(), reason));
                let reason = Text::new(reason.code());
                Entry::DnsDenied(DnsDenied { name, qtype, reason, count: count.min(MAX_INTEGER) })
            }
            FromGate::PacketRefused { class, protocol, source_port, destination, port } => {
                let protocol = Text::new(&protocol.map_or_else(|| "none".to_owned(), entries::protocol_name));
                Entry::Refused(Refused {
                    class: class.name().into(),
                    protocol,
                    source_port,
                    address: destination,
                    port,
                })
            }
            _ => return,
        };
        self.record(&entry);
    }

    fn failed(&self, error: &LedgerError) -> NotRecorded {
        if !std::mem::replace(&mut self.state().failure_told, true) {
            self.tell(Event::LedgerFailed(error.to_string()));
        }
        NotRecorded
    }

    fn tell_new(&self, news: impl FnOnce(&mut Told) -> Option<Event>) {
        let event = news(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
        event.into_iter().for_each(|event| self.tell(event));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It is in no log, so it must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRecorded;

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
