//! How does a workload run? Started by a binding alone, watched until it ends, and killed when the binding no longer holds.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use bottle_evidence::Text;
use bottle_evidence::audit::{self, Ending, Entry};
use bottle_images::changed::Snapshot;
use bottle_netns::airlock::Watches;
use bottle_netns::counters::counters;
use bottle_netns::survey::SurveyError;
use tokio::time::Instant as Moment;

use crate::airlock::Airlock;
use crate::attest::Binding;
use crate::event::Event;
use crate::gate::message::ToGate;
use crate::init::message::{End, Failure, FromInit, ToInit};
use crate::outcome::{Outcome, Status};
use crate::supervisor::ledger::LedgerError;
use crate::supervisor::signals::{Arrived, Signals};
use crate::supervisor::stdio::Relays;
use crate::supervisor::terminal::{self, Terminal};
use crate::supervisor::watch::{Drift, Watcher};

/// How long the gate may take to finish what is under way; its own limit is shorter.
const FINISHING: Duration = Duration::from_secs(5);

/// Stage four: running, watched.
pub struct Workload {
    airlock: Airlock,
    output: Output,
    master: Option<OwnedFd>,
    watcher: Watcher,
    signals: Signals,
    before: Snapshot,
    started: Instant,
}

/// What copies the workload's output.
enum Output {
    Relays(Relays),
    Terminal(Terminal),
}

/// Why a workload did not start, although it was bound, or could not be brought to its end.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The command could not be executed.
    #[error(transparent)]
    Init(#[from] Failure),
    /// The workload's init broke.
    #[error("the workload's init did not answer as it should")]
    Silent(#[source] io::Error),
    /// The shared trees could not be looked through before the start.
    #[error("cannot look through the shared directories")]
    Snapshot,
    /// Something of our own failed.
    #[error("cannot {step}")]
    Step {
        /// Which step.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The binding held no more when the workload was to be released.
    #[error("the airlock changed after it was measured: {}: {}", .0.what, .0.detail)]
    Drift(Drift),
    /// What was refused can't be counted, and `run.end` says nothing that is not so.
    #[error("cannot count what was refused, so the audit log has no end for this run")]
    Uncounted(#[from] SurveyError),
    /// The run could not be closed in the log.
    #[error("the audit log has no end for this run")]
    Ledger(#[from] LedgerError),
}

/// How the time of a workload came to an end.
enum Ended {
    /// Its first process ended.
    Itself(End),
    /// It was killed for this reason.
    Killed(String),
}

impl Binding {
    /// Lets the workload execute its first instruction.
    pub async fn start(self) -> Result<Workload, WorkloadError> {
        let step = |step| move |source| WorkloadError::Step { step, source };
        let (mut airlock, master) = self.into_parts();
        // First, since it may take long: signals are not taken over yet, and what changes meanwhile is seen below.
        let before = (&mut airlock.before).await.map_err(|_| WorkloadError::Snapshot)?;
        let watches = std::mem::replace(&mut airlock.space.watches, Watches(Vec::new()));
        let sysctls = std::mem::take(&mut airlock.space.sysctls);
        let watcher = Watcher::new(watches, sysctls).map_err(step("watch the namespaces"))?;
        let signals = Signals::listen().map_err(step("take over signals"))?;
        let output = match (&master, airlock.init.streams.take()) {
            (Some(master), _) => Output::Terminal(Terminal::connect(master).map_err(step("connect the terminal"))?),
            (None, Some(streams)) => Output::Relays(streams.hand_over()),
            (None, None) => return Err(WorkloadError::Silent(io::ErrorKind::InvalidData.into())),
        };
        let workload = Workload { airlock, output, master, watcher, signals, before, started: Instant::now() };
        if let Some(drift) = workload.watcher.noticed() {
            return Err(workload.never_released(drift));
        }
        let init = &workload.airlock.init.channel;
        init.send(&ToInit::Release, &[]).await.map_err(WorkloadError::Silent)?;
        match init.recv::<FromInit>().await.map_err(WorkloadError::Silent)?.0 {
            FromInit::Started => Ok(workload),
            FromInit::Failed(failure) => Err(workload.never_ran(failure)),
            _ => Err(WorkloadError::Silent(io::ErrorKind::InvalidData.into())),
        }
    }
}

impl Workload {
    /// Waits for the end, whoever brings it, and closes the run.
    pub async fn wait(mut self) -> Result<Outcome, WorkloadError> {
        let ended = self.until_the_end().await;
        let duration = self.started.elapsed();
        if let Ended::Killed(_) = ended {
            // Only the workload: on drift the gate is dead already, and otherwise it still tells what went through it.
            self.airlock.init.process.kill();
        }
        self.airlock.init.process.wait();
        self.finish_connections().await;
        match std::mem::replace(&mut self.output, Output::Relays(Relays::default())) {
            Output::Relays(relays) => relays.finish(),
            Output::Terminal(terminal) => terminal.finish(),
        }
        let (status, reason) = match ended {
            Ended::Itself(End::Code(code)) => (Status::Exited(code as u8), None),
            Ended::Itself(End::Signal(number)) => (Status::Signalled(number), None),
            Ended::Killed(reason) => (Status::Signalled(libc::SIGKILL), Some(reason)),
        };
        self.tell_changes();
        self.close(status, reason, duration)
    }

    async fn until_the_end(&mut self) -> Ended {
        let deadline = self.airlock.plan.timeout.map(|timeout| Moment::from_std(self.started + timeout));
        loop {
            let drift = tokio::select! {
                biased;
                drift = self.watcher.drift() => drift,
                drift = self.airlock.gate.link.ended() => drift,
                why = &mut self.airlock.dialler.ended => Drift::new("dialler", why.unwrap_or_default()),
                message = self.airlock.init.channel.recv::<FromInit>() => match message {
                    Ok((FromInit::Exited(end), _)) => return Ended::Itself(end),
                    Ok((FromInit::Failed(failure), _)) => Drift::new("init", failure.to_string()),
                    Ok(_) => Drift::new("init", "it said something out of turn"),
                    Err(error) => Drift::new("init", format!("it is gone: {error}")),
                },
                arrived = self.signals.next() => match self.heed(arrived).await {
                    Some(drift) => drift,
                    None => continue,
                },
                () = until(deadline) => return Ended::Killed("the time that --timeout gives is over".into()),
            };
            return self.drifted(&drift);
        }
    }

    /// Cuts everything first, then says why.
    fn drifted(&self, drift: &Drift) -> Ended {
        let Airlock { gate, dialler, init, recorder, .. } = &self.airlock;
        // The dialler too: what it is about to connect has been cut before it was opened.
        for process in [&gate.process, &dialler.process, &init.process] {
            process.kill();
        }
        recorder.cut();
        let entry = audit::Drift { what: Text::new(&drift.what), detail: Text::new(&drift.detail) };
        recorder.record(&Entry::Drift(entry));
        let reason = format!("{}: {}", drift.what, drift.detail);
        recorder.tell(Event::Drift(reason.clone()));
        Ended::Killed(reason)
    }

    async fn heed(&self, arrived: Arrived) -> Option<Drift> {
        match arrived {
            Arrived::Child => return self.stopped(),
            Arrived::Forward(number) => {
                // An init that is gone is noticed by the loop.
                let _ = self.airlock.init.channel.send(&ToInit::Signal { number }, &[]).await;
            }
            Arrived::Resized => {
                if let (Some(master), Some((rows, columns))) = (&self.master, terminal::size()) {
                    terminal::resize(master, rows, columns);
                }
            }
        }
        None
    }

    /// A helper that is stopped answers nobody and guards nothing.
    fn stopped(&self) -> Option<Drift> {
        let Airlock { gate, dialler, init, .. } = &self.airlock;
        let helpers = [("gate", &gate.process), ("dialler", &dialler.process), ("init", &init.process)];
        let stopped = helpers.into_iter().find(|(_, process)| process.was_stopped());
        stopped.map(|(who, _)| Drift::new(who, "it was stopped"))
    }

    fn tell_changes(&self) {
        let after = Snapshot::take(&self.airlock.plan.files.writable);
        let changed = after.changed_since(&self.before);
        if !changed.is_empty() {
            self.airlock.recorder.tell(Event::Changed(changed));
        }
    }

    /// Counts what was refused and writes the run's end.
    fn close(self, status: Status, reason: Option<String>, duration: Duration) -> Result<Outcome, WorkloadError> {
        let recorder = &self.airlock.recorder;
        recorder.cut();
        let ending = Ending {
            exit: status.code(),
            reason: reason.as_deref().map(Text::new),
            millis: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            refused: self.refused()?,
        };
        let end = recorder.ledger().end(ending)?;
        recorder.ledger().commit()?;
        let plan = &self.airlock.plan;
        Ok(Outcome {
            run: plan.run.clone(),
            status,
            reason,
            duration,
            hosts: end.hosts,
            audit: plan.audit.clone(),
            attestation: plan.attestation.clone(),
        })
    }

    /// The gate ends when its last connection has; the dialler then ends too, when all outcomes are recorded.
    async fn finish_connections(&mut self) {
        let Airlock { gate, dialler, .. } = &mut self.airlock;
        if dialler.ended.is_terminated() {
            return;
        }
        let finished = async {
            if gate.link.send(&ToGate::Finish).is_ok() {
                gate.link.ended().await;
            }
            // Either way it records nothing any more.
            let _ = (&mut dialler.ended).await;
        };
        // Past this time what has no outcome is recorded as cut.
        let _ = tokio::time::timeout(FINISHING, finished).await;
    }

    /// What the packet filter counted, by class.
    fn refused(&self) -> Result<BTreeMap<Text, u64>, SurveyError> {
        let counted = counters(&self.airlock.space)?.total();
        let before = |class| self.airlock.refused_before.get(class).copied().unwrap_or(0);
        let rows = counted.iter().map(|(class, count)| (Text::new(class.name()), count.saturating_sub(before(class))));
        Ok(rows.collect())
    }

    /// The binding does not hold any more, and the workload still stands before its execve(2).
    fn never_released(self, drift: Drift) -> WorkloadError {
        self.drifted(&drift);
        match self.close(Status::Exited(125), Some(drift.detail.clone()), Duration::ZERO) {
            Ok(_) => WorkloadError::Drift(drift),
            Err(error) => error,
        }
    }

    /// The command could not be executed: the run is closed all the same.
    fn never_ran(self, failure: Failure) -> WorkloadError {
        let (status, reason) = (Status::Exited(failure.code), Some(failure.to_string()));
        match self.close(status, reason, Duration::ZERO) {
            Ok(_) => failure.into(),
            Err(error) => error,
        }
    }
}

async fn until(deadline: Option<Moment>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => pending().await,
    }
}
