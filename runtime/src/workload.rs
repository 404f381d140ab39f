//! How does a workload run? Started by a binding alone, watched until it ends, and killed when the binding no longer holds.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bottle_evidence::Text;
use bottle_evidence::audit::{self, Entry};
use tokio::time::Instant as Moment;

use crate::airlock::{Airlock, Gate, look_through};
use crate::attendants::{Attendants, demanded};
use crate::attest::{Binding, Held, Said};
use crate::changes;
use crate::clock;
use crate::control::{Control, Demand, Means};
use crate::ended::Ended;
use crate::event::Event;
use crate::exec::Entrance;
use crate::gate::message::ToGate;
use crate::heartbeat;
use crate::init::message::{FromInit, ToInit};
use crate::limit::{self, Asked, Insistence, Limit, Stage};
use crate::outcome::Outcome;
use crate::patience::Patience;
use crate::records::{Own, Running};
use crate::renew::backstop::Next;
use crate::renew::{Renewal, supervised};
use crate::report::chain;
use crate::supervisor::gate_link::GateEnd;
use crate::supervisor::inbound::{self, Acceptor, Admission};
use crate::supervisor::signals::{Arrived, Signals};
use crate::supervisor::terminal;
use crate::supervisor::watch::Drift;
pub use crate::workload_error::WorkloadError;
use crate::{sys, thread};

/// How long the gate may take to finish what is under way; its own limit is shorter.
const FINISHING: Duration = Duration::from_secs(5);

/// Whoever watches a bottle can't be stopped for a while: its gate would take that for the watcher's end.
const NOT_SUSPENDED: &str = "a bottle is watched as long as it runs, so Ctrl-Z does not suspend it; with -it it suspends what \
                             runs inside";

/// Stage four: released, watched.
pub struct Workload {
    airlock: Airlock,
    attendants: Attendants,
    released: Instant,
    mounts: Option<OwnedFd>,
}

impl Binding {
    /// Releases the workload to its first instruction. What becomes of it, its execve(2) included, `Workload::wait` tells.
    pub async fn start(self) -> Result<Workload, WorkloadError> {
        let (mut airlock, Held { terminal, mounts, .. }, vigil, said) = self.into_parts();
        let attendants = match Attendants::gather(&mut airlock, terminal, vigil).await {
            Ok(attendants) => attendants,
            Err(error) => return Err(never_released(&airlock, error)),
        };
        let noticed = attendants.watcher.noticed(&airlock.space);
        let mut workload = Workload { airlock, attendants, released: Instant::now(), mounts };
        if let Some(drift) = noticed.or_else(|| workload.stopped()) {
            let drift = workload.revoke(drift).await;
            return Err(never_released(&workload.airlock, WorkloadError::Drift(drift)));
        }
        match workload.airlock.init.channel.send(&ToInit::Release, &[]).await {
            Ok(()) => {
                workload.accept_connections();
                workload.show(said);
                Ok(workload)
            }
            Err(error) => Err(never_released(&workload.airlock, WorkloadError::Silent(error))),
        }
    }
}

/// The workload still stands before its execve(2) and will never go on: the run is closed all the same.
fn never_released(airlock: &Airlock, error: WorkloadError) -> WorkloadError {
    airlock.init.kill();
    let code = error.exit_code();
    airlock.close_or_warn(code, &chain(&error).join(": "), Duration::ZERO);
    error
}

impl Workload {
    /// Lets in whoever connects to a published port. Where that fails they are reset, and the command runs all the same.
    fn accept_connections(&mut self) {
        let Airlock { plan, recorder, init, gate, state, .. } = &mut self.airlock;
        let most = inbound::most(&plan.published);
        let published = std::mem::take(&mut plan.published);
        if published.is_empty() {
            return;
        }
        let (agent, init) = (state.agent.identity.cookie, Arc::clone(&init.channel));
        match Acceptor::open(published, Admission::new(Arc::clone(recorder), init, gate.link.channel(), agent, most)) {
            Ok(acceptor) => self.attendants.acceptor = Some(acceptor),
            Err(error) => recorder.tell(Event::Warning(format!("nobody can connect to the published ports: {error}"))),
        }
    }

    /// Others can see from now on that it runs. It does all the same where they can't.
    fn show(&mut self, said: Said) {
        let means = self.means(said);
        let first = self.attendants.recheck.workload();
        let Airlock { plan, recorder, .. } = &mut self.airlock;
        let warn = |what, error| recorder.tell(Event::Warning(format!("{what}: {error}")));
        let control = means.and_then(|means| Control::open(&plan.run_directory, means));
        self.attendants.control = control.map_err(|error| warn("nobody can stop or enter this by name", error)).ok();
        let control = self.attendants.control.as_ref().map(Control::descriptor);
        let running = Running { started: clock::now(), workload: first.pid, start: Some(first.start), control };
        if let Err(error) = plan.record.running(running) {
            warn("`bottle ps` does not know that this runs", error);
        }
    }

    /// What it takes to enter the bottle, and to attest it again.
    fn means(&self, said: Said) -> io::Result<Means> {
        let recheck = &self.attendants.recheck;
        let renewal = Renewal::new(&self.airlock, Arc::clone(recheck), said)?;
        // Whoever wants to enter a container asks its engine.
        let entrance = match self.airlock.init.container {
            Some(_) => None,
            None => Some(Entrance::new(&self.airlock, Arc::clone(recheck.first()), Arc::clone(recheck.entering()))?),
        };
        Ok(Means { entrance, renewal: Some(renewal), members: Some(Arc::clone(&self.airlock.init.members)) })
    }

    /// Waits for the end, whoever brings it, and closes the run; then for those who read what was written, as long as they
    /// may take. How long they still may comes back with the outcome, and the record that is to say of it.
    pub(crate) async fn wait(mut self) -> (Result<Outcome, WorkloadError>, Patience, Own) {
        let ended = self.until_the_end().await;
        // Who asks from here on hears that it is ending.
        self.attendants.control = None;
        self.attendants.acceptor = None;
        self.airlock.init.members.end();
        let duration = self.released.elapsed();
        if !matches!(ended, Ended::Itself(_)) {
            // Only the workload: on drift the gate is dead already, and otherwise it still tells what went through it.
            self.airlock.init.kill();
        }
        // The gate accepts nothing more while what else runs in the bottle is ended.
        let finishing = self.airlock.gate.link.send(&ToGate::Finish).is_ok();
        self.airlock.init.process.wait();
        // The kernel takes a while for it, in which the log is closed. Without a thread it is waited for here.
        let unmounting = self.mounts.take().and_then(|mounts| thread::begin(move || drop(mounts)).ok());
        let after = look_through(&self.airlock.plan.files);
        self.finish_connections(finishing).await;
        let outcome = self.close(&ended, duration);
        // Others may mount what the plan holds when that is let go.
        let _ = unmounting.map(JoinHandle::join);
        let Workload { airlock, attendants, released, .. } = self;
        let (plan, recorder) = airlock.end();
        let Attendants { mut output, signals, before, .. } = attendants;
        let mut patience = match ended {
            Ended::Killed(_) | Ended::Forestalled(_) => Patience::short(Some(signals)),
            Ended::Itself(_) | Ended::Unseen | Ended::NeverRan(_) => {
                Patience::until_asked(Some(signals), plan.timeout.map(|timeout| Moment::from_std(released + timeout)))
            }
        };
        let unwritten = match patience.wait_for(output.finished()).await {
            Some(finished) => finished.err(),
            None => {
                recorder.tell(Event::Warning("nobody reads what the command wrote, and the rest of it is lost".into()));
                None
            }
        };
        // The terminal is the caller's again.
        drop(output);
        let after = async { after.ok()?.await.ok() };
        if let Some(after) = patience.wait_for(after).await {
            changes::tell(&recorder, &before, after, &plan.changes);
        }
        if let Ok(outcome) = &outcome {
            recorder.tell(Event::Over(Box::new(outcome.clone())));
        }
        let outcome = outcome.and_then(|outcome| match unwritten {
            Some(source) => Err(WorkloadError::Unwritten { code: outcome.status.code(), source }),
            None => Ok(outcome),
        });
        (outcome, patience, plan.record)
    }

    async fn until_the_end(&mut self) -> Ended {
        let (mut stage, mut insistence) = (Stage::Executing { signalled: None }, Insistence::default());
        // Not at once, since a command that ends soon would wait for it.
        let (mut quiet, mut tidy) = (pin!(tokio::time::sleep(heartbeat::INTERVAL * heartbeat::SETTLED)), false);
        loop {
            let limit = limit::next(self.released, self.airlock.plan.timeout, stage, self.attendants.stopped);
            let drift = tokio::select! {
                biased;
                drift = self.attendants.watcher.drift(&self.airlock.space) => drift,
                end = self.airlock.gate.link.ended() => end.drift(),
                drift = &mut self.airlock.dialler.ended => drift.unwrap_or_else(|_| Drift::new("dialler", "it is gone")),
                message = self.airlock.init.channel.recv_though_short::<FromInit>() => match message {
                    Ok((FromInit::Connecting { connection }, sockets)) if let Some(acceptor) = &self.attendants.acceptor => {
                        acceptor.connecting(connection, sockets);
                        continue;
                    }
                    Ok((FromInit::Started, _)) if stage != Stage::Executed => {
                        stage = Stage::Executed;
                        self.airlock.recorder.tell(Event::Running { id: self.airlock.plan.run.clone() });
                        continue;
                    }
                    Ok((FromInit::Exited(end), _)) => {
                        let container = self.airlock.init.container.as_ref();
                        return container.map_or(Ended::Itself(end), |container| container.ended());
                    }
                    Ok((FromInit::Failed(failure), _)) if stage != Stage::Executed => return Ended::NeverRan(failure),
                    Ok((FromInit::Failed(failure), _)) => Drift::new("init", failure.to_string()),
                    Ok(_) => Drift::new("init", "it said something out of turn"),
                    Err(error) => Drift::new("init", self.airlock.why_init_is_gone(&error)),
                },
                arrived = self.attendants.signals.next() => {
                    if let Arrived::Forward(number) = arrived {
                        stage = stage.signalled(Instant::now(), number);
                        if Signals::asks_to_end(number) && self.is_enough(insistence.asked(Instant::now())) {
                            return Ended::Killed("it was asked to end three times within 5 s".into());
                        }
                    }
                    match self.heed(arrived).await {
                        Some(drift) => drift,
                        None => continue,
                    }
                }
                demand = demanded(&mut self.attendants.control) => match demand {
                    Demand::Renew(step) => match supervised::step(&self.airlock, &self.attendants, step) {
                        Some(drift) => drift,
                        None => continue,
                    },
                    Demand::Signal(signal) => {
                        stage = stage.signalled(Instant::now(), signal.number());
                        self.signal(signal.number()).await;
                        continue;
                    }
                    Demand::Stop(grace) => {
                        let number = self.stop_within(grace);
                        stage = stage.signalled(Instant::now(), number);
                        self.signal(number).await;
                        continue;
                    }
                },
                next = self.attendants.backstop.next() => match next {
                    Next::Drift(drift) => drift,
                    Next::Due => match supervised::due(&self.airlock, &mut self.attendants) {
                        Some(drift) => drift,
                        None => continue,
                    },
                },
                limit = reached(limit) => return Ended::overdue(limit),
                () = &mut quiet, if !tidy => {
                    sys::give_back_memory();
                    // It has ended by now, and is reaped.
                    self.airlock.builder = None;
                    tidy = true;
                    continue;
                }
            };
            let drift = self.revoke(drift).await;
            return Ended::Killed(format!("{}: {}", drift.what, drift.detail));
        }
    }

    fn is_enough(&self, asked: Asked) -> bool {
        if asked == Asked::Almost {
            self.airlock.recorder.tell(Event::Warning("the command still runs: asked once more, it is killed".into()));
        }
        asked == Asked::Enough
    }

    /// Cuts everything first, then says why.
    async fn revoke(&mut self, noticed: Drift) -> Drift {
        let Airlock { gate, dialler, init, recorder, .. } = &mut self.airlock;
        let gate_was_ending = gate.process.is_ending();
        // The dialler too: what it is about to connect has been cut before it was opened.
        for process in [&gate.process, &dialler.process] {
            process.kill();
        }
        init.kill();
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
            Arrived::Forward(number) => self.signal(number).await,
            Arrived::Suspend => self.airlock.recorder.tell(Event::Warning(NOT_SUSPENDED.into())),
            Arrived::Resized => {
                if let (Some(master), Some((rows, columns))) = (&self.attendants.master, terminal::size()) {
                    terminal::resize(master, rows, columns);
                }
            }
        }
        None
    }

    /// An init that is gone is noticed by the loop.
    async fn signal(&self, number: i32) {
        if let Some(container) = &self.airlock.init.container {
            return container.signal(number);
        }
        let _ = self.airlock.init.channel.send(&ToInit::Signal { number }, &[]).await;
    }

    /// The signal by which the first process is asked to end. The shortest time that anybody gave it counts.
    fn stop_within(&mut self, grace: Duration) -> i32 {
        let until = Instant::now() + grace;
        self.attendants.stopped = Some(self.attendants.stopped.map_or(until, |before| before.min(until)));
        self.airlock.plan.stop_signal.number()
    }

    /// A helper that is stopped answers nobody and guards nothing.
    fn stopped(&self) -> Option<Drift> {
        let Airlock { gate, dialler, init, keeper, .. } = &self.airlock;
        let keeper = keeper.as_ref().map(|keeper| ("keeper", keeper.process()));
        if let Some((who, _)) = keeper.filter(|(_, process)| process.is_ending()) {
            return Some(Drift::new(who, "it is gone"));
        }
        if let Some(how) = init.members.unguarded() {
            return Some(Drift::new("keeper", format!("of a container that joined: {how}")));
        }
        let helpers = [("gate", &gate.process), ("dialler", &dialler.process), ("init", &init.process)];
        let stopped = helpers.into_iter().chain(keeper).find(|(_, process)| process.was_stopped());
        stopped.map(|(who, _)| Drift::new(who, "it was stopped"))
    }

    fn close(&self, ended: &Ended, duration: Duration) -> Result<Outcome, WorkloadError> {
        let (status, reason) = ended.told();
        if let Ended::NeverRan(failure) = ended {
            self.airlock.close_or_warn(status.code(), &failure.what, duration);
            return Err(failure.clone().into());
        }
        let shortages = self.airlock.shortages();
        let reasons: Vec<&str> = reason.iter().chain(&shortages).map(String::as_str).collect();
        let closed = self.airlock.close(status.code(), &reasons, duration);
        let end = closed.map_err(|source| WorkloadError::Unclosed { code: status.code(), source })?;
        let plan = &self.airlock.plan;
        Ok(Outcome {
            run: plan.run.clone(),
            status,
            reason,
            shortages,
            duration,
            hosts: end.hosts,
            audit: plan.audit.clone(),
            attestation: plan.attestation.clone(),
            key: plan.key.public().clone(),
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

/// The listening sockets end with the gate, and their end may be heard before its own, which says more. The gate has been
/// killed since, so its end comes at once.
async fn cause(gate: &mut Gate, was_ending: bool, noticed: Drift) -> Drift {
    match gate.link.ended().await {
        GateEnd::Said(drift) => drift,
        GateEnd::Silent(drift) if was_ending => drift,
        GateEnd::Silent(_) => noticed,
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
