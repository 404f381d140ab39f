//! How does a workload run? Started by a binding alone, watched until it ends, and killed when the binding no longer holds.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::{Duration, Instant};

use bottle_evidence::Text;
use bottle_evidence::audit::{self, Entry};
use bottle_images::changed::Snapshot;
use bottle_netns::airlock::Watches;
use bottle_netns::survey::Listening;
use tokio::time::Instant as Moment;

use crate::airlock::{Airlock, Gate, look_through};
use crate::attest::Binding;
use crate::closing::CloseError;
use crate::event::Event;
use crate::gate::message::ToGate;
use crate::heartbeat;
use crate::init::message::{End, Failure, FromInit, ToInit};
use crate::limit::{self, EXECUTING, Limit, Stage};
use crate::outcome::{Outcome, Status};
use crate::patience::Patience;
use crate::supervisor::gate_link::GateEnd;
use crate::supervisor::recorder::Recorder;
use crate::supervisor::signals::{Arrived, Signals};
use crate::supervisor::stdio::Relays;
use crate::supervisor::terminal::{self, Terminal};
use crate::supervisor::watch::{Drift, Watcher};
use crate::sys;

/// How long the gate may take to finish what is under way; its own limit is shorter.
const FINISHING: Duration = Duration::from_secs(5);

/// Stage four: released, watched.
pub struct Workload {
    airlock: Airlock,
    attendants: Attendants,
    released: Instant,
}

/// What is around a workload while it runs.
struct Attendants {
    output: Output,
    master: Option<OwnedFd>,
    watcher: Watcher,
    signals: Signals,
    before: Snapshot,
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
    /// The run could not be closed in the log.
    #[error("the command ran and ended with {code}, but its run could not be closed")]
    Unclosed {
        /// The command's own exit code.
        code: u8,
        /// Why not.
        source: CloseError,
    },
}

/// How the time of a workload came to an end.
enum Ended {
    /// Its first process ended.
    Itself(End),
    /// It was killed for this reason.
    Killed(String),
    /// A signal for it came before its program was executed, and nothing was there in time to heed it.
    Forestalled(i32),
    /// Its program can't be executed.
    NeverRan(Failure),
}

impl Binding {
    /// Releases the workload to its first instruction. What becomes of it, its execve(2) included, `Workload::wait` tells.
    pub async fn start(self) -> Result<Workload, WorkloadError> {
        let (mut airlock, master, listening, signals) = self.into_parts();
        let attendants = match Attendants::gather(&mut airlock, master, listening, signals).await {
            Ok(attendants) => attendants,
            Err(error) => return Err(never_released(&airlock, error)),
        };
        let noticed = attendants.watcher.noticed(&airlock.space.desks);
        let mut workload = Workload { airlock, attendants, released: Instant::now() };
        if let Some(drift) = noticed {
            let drift = workload.revoke(drift).await;
            return Err(never_released(&workload.airlock, WorkloadError::Drift(drift)));
        }
        match workload.airlock.init.channel.send(&ToInit::Release, &[]).await {
            Ok(()) => Ok(workload),
            Err(error) => Err(never_released(&workload.airlock, WorkloadError::Silent(error))),
        }
    }
}

/// The workload still stands before its execve(2) and will never go on: the run is closed all the same.
fn never_released(airlock: &Airlock, error: WorkloadError) -> WorkloadError {
    airlock.init.process.kill();
    airlock.close_after(&error);
    error
}

impl Attendants {
    async fn gather(
        airlock: &mut Airlock,
        master: Option<OwnedFd>,
        listening: Listening,
        signals: Signals,
    ) -> Result<Attendants, WorkloadError> {
        let step = |step| move |source| WorkloadError::Step { step, source };
        // First, since it may take long, and what changes meanwhile is seen below.
        let before = (&mut airlock.before).await.map_err(|_| WorkloadError::Snapshot)?;
        let watches = std::mem::replace(&mut airlock.space.watches, Watches(Vec::new()));
        let sysctls = std::mem::take(&mut airlock.space.sysctls);
        let watcher = Watcher::new(watches, sysctls, listening).map_err(step("watch the namespaces"))?;
        let output = match (&master, airlock.init.streams.take()) {
            (Some(master), _) => Output::Terminal(Terminal::connect(master).map_err(step("connect the terminal"))?),
            (None, Some(streams)) => Output::Relays(streams.hand_over()),
            (None, None) => return Err(WorkloadError::Silent(io::ErrorKind::InvalidData.into())),
        };
        Ok(Attendants { output, master, watcher, signals, before })
    }
}

impl Workload {
    /// Waits for the end, whoever brings it, and closes the run; then for those who read what was written, as long as they
    /// may take. How long they still may comes back with the outcome.
    pub(crate) async fn wait(mut self) -> (Result<Outcome, WorkloadError>, Patience) {
        let ended = self.until_the_end().await;
        let duration = self.released.elapsed();
        if !matches!(ended, Ended::Itself(_)) {
            // Only the workload: on drift the gate is dead already, and otherwise it still tells what went through it.
            self.airlock.init.process.kill();
        }
        // The gate accepts nothing more while what else runs in the bottle is ended.
        let finishing = self.airlock.gate.link.send(&ToGate::Finish).is_ok();
        self.airlock.init.process.wait();
        let after = look_through(&self.airlock.plan.files);
        self.finish_connections(finishing).await;
        let outcome = self.close(&ended, duration);
        let Workload { airlock, attendants, released } = self;
        let (plan, recorder) = airlock.end();
        let Attendants { mut output, signals, before, .. } = attendants;
        let mut patience = match ended {
            Ended::Killed(_) | Ended::Forestalled(_) => Patience::short(Some(signals)),
            Ended::Itself(_) | Ended::NeverRan(_) => {
                Patience::until_asked(Some(signals), plan.timeout.map(|timeout| Moment::from_std(released + timeout)))
            }
        };
        if patience.wait_for(output.finished()).await.is_none() {
            recorder.tell(Event::Warning("nobody reads what the command wrote, and the rest of it is lost".into()));
        }
        // The terminal is the caller's again.
        drop(output);
        if let Some(after) = patience.wait_for(after).await {
            tell_changes(&recorder, &before, after.ok());
        }
        if let Ok(outcome) = &outcome {
            recorder.tell(Event::Over(outcome.clone()));
        }
        (outcome, patience)
    }

    async fn until_the_end(&mut self) -> Ended {
        let mut stage = Stage::Executing { signalled: None };
        // Not at once, since a command that ends soon would wait for it.
        let (mut quiet, mut tidy) = (pin!(tokio::time::sleep(heartbeat::INTERVAL)), false);
        loop {
            let limit = limit::next(self.released, self.airlock.plan.timeout, stage);
            let drift = tokio::select! {
                biased;
                drift = self.attendants.watcher.drift(&self.airlock.space.desks) => drift,
                end = self.airlock.gate.link.ended() => end.drift(),
                drift = &mut self.airlock.dialler.ended => drift.unwrap_or_else(|_| Drift::new("dialler", "it is gone")),
                message = self.airlock.init.channel.recv::<FromInit>() => match message {
                    Ok((FromInit::Started, _)) if stage != Stage::Executed => {
                        stage = Stage::Executed;
                        continue;
                    }
                    Ok((FromInit::Exited(end), _)) => return Ended::Itself(end),
                    Ok((FromInit::Failed(failure), _)) if stage != Stage::Executed => return Ended::NeverRan(failure),
                    Ok((FromInit::Failed(failure), _)) => Drift::new("init", failure.to_string()),
                    Ok(_) => Drift::new("init", "it said something out of turn"),
                    Err(error) => Drift::new("init", format!("it is gone: {error}")),
                },
                arrived = self.attendants.signals.next() => {
                    if let Arrived::Forward(number) = arrived {
                        stage = stage.signalled(Instant::now(), number);
                    }
                    match self.heed(arrived).await {
                        Some(drift) => drift,
                        None => continue,
                    }
                }
                limit = reached(limit) => return overdue(limit),
                () = &mut quiet, if !tidy => {
                    sys::give_back_freed_memory();
                    tidy = true;
                    continue;
                }
            };
            let drift = self.revoke(drift).await;
            return Ended::Killed(format!("{}: {}", drift.what, drift.detail));
        }
    }

    /// Cuts everything first, then says why.
    async fn revoke(&mut self, noticed: Drift) -> Drift {
        let Airlock { gate, dialler, init, recorder, .. } = &mut self.airlock;
        let gate_was_ending = gate.process.is_ending();
        // The dialler too: what it is about to connect has been cut before it was opened.
        for process in [&gate.process, &dialler.process, &init.process] {
            process.kill();
        }
        recorder.cut();
        let drift = if noticed.what == "listener" { cause(gate, gate_was_ending, noticed).await } else { noticed };
        let entry = audit::Drift { what: Text::new(&drift.what), detail: Text::new(&drift.detail) };
        recorder.record(&Entry::Drift(entry));
        recorder.tell(Event::Drift(format!("{}: {}", drift.what, drift.detail)));
        // At once, whatever the end may have to wait for. A log that fails has said so.
        let _ = recorder.commit();
        drift
    }

    async fn heed(&self, arrived: Arrived) -> Option<Drift> {
        match arrived {
            Arrived::Child => return self.stopped(),
            Arrived::Forward(number) => {
                // An init that is gone is noticed by the loop.
                let _ = self.airlock.init.channel.send(&ToInit::Signal { number }, &[]).await;
            }
            Arrived::Resized => {
                if let (Some(master), Some((rows, columns))) = (&self.attendants.master, terminal::size()) {
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

    fn close(&self, ended: &Ended, duration: Duration) -> Result<Outcome, WorkloadError> {
        let (status, reason) = ended.told();
        if let Ended::NeverRan(failure) = ended {
            self.airlock.close_or_warn(status.code(), &failure.what, duration);
            return Err(failure.clone().into());
        }
        let closed = self.airlock.close(status.code(), reason.as_deref(), duration);
        let end = closed.map_err(|source| WorkloadError::Unclosed { code: status.code(), source })?;
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

    /// The gate, which was asked to, ends when its last connection has; the dialler then ends too, when all outcomes are
    /// recorded.
    async fn finish_connections(&mut self, asked: bool) {
        let Airlock { gate, dialler, .. } = &mut self.airlock;
        if dialler.ended.is_terminated() {
            return;
        }
        let finished = async {
            if asked {
                gate.link.ended().await;
            }
            // Either way it records nothing any more.
            let _ = (&mut dialler.ended).await;
        };
        // Past this time what has no outcome is recorded as cut.
        let _ = tokio::time::timeout(FINISHING, finished).await;
    }
}

impl Output {
    /// Waits until all that the workload wrote has been written on.
    async fn finished(&mut self) {
        match self {
            Output::Relays(relays) => relays.finished().await,
            Output::Terminal(terminal) => terminal.finished().await,
        }
    }
}

impl Ended {
    /// How the command ended, and why bottle ended it, if bottle did.
    fn told(&self) -> (Status, Option<String>) {
        match self {
            Ended::Itself(End::Code(code)) => (Status::Exited(*code as u8), None),
            Ended::Itself(End::Signal(number)) => (Status::Signalled(*number), None),
            Ended::Killed(reason) => (Status::Signalled(libc::SIGKILL), Some(reason.clone())),
            Ended::Forestalled(number) => {
                (Status::Signalled(*number), Some("a signal came before the command was executed".into()))
            }
            Ended::NeverRan(failure) => (Status::Exited(failure.code), Some(failure.to_string())),
        }
    }
}

/// Tells what of the shared trees the host would execute later and is not as it was, and whether that may not be all.
fn tell_changes(recorder: &Recorder, before: &Snapshot, after: Option<Snapshot>) {
    const NOT_ALL: &str = "the shared directories hold too much to tell all files that the host would execute later and that \
                           the command changed";
    if !before.is_complete() || !after.as_ref().is_some_and(Snapshot::is_complete) {
        recorder.tell(Event::Warning(NOT_ALL.into()));
    }
    let changed = after.map(|after| after.changed_since(before)).unwrap_or_default();
    if !changed.is_empty() {
        recorder.tell(Event::Changed(changed));
    }
}

/// The listening sockets end with the gate, and their end may be heard before its own, which says more. The gate has been
/// killed since, so its end comes at once.
async fn cause(gate: &mut Gate, was_ending: bool, noticed: Drift) -> Drift {
    match gate.link.ended().await {
        GateEnd::Said(drift) => drift,
        GateEnd::Silent(drift) if was_ending => drift,
        GateEnd::Silent(_) => noticed,
    }
}

fn overdue(limit: Limit) -> Ended {
    match limit {
        Limit::Heeding(number) => Ended::Forestalled(number),
        Limit::Timeout => Ended::Killed("the time that --timeout gives is over".into()),
        Limit::Executing => Ended::NeverRan(Failure {
            code: 125,
            what: format!("the command was not executed within {} s", EXECUTING.as_secs()),
            hint: Some("the file system that holds the program does not answer".into()),
        }),
    }
}

async fn reached(limit: Option<(Instant, Limit)>) -> Limit {
    match limit {
        Some((at, limit)) => {
            tokio::time::sleep_until(Moment::from_std(at)).await;
            limit
        }
        None => pending().await,
    }
}
