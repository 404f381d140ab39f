//! What does it take to start a workload? A binding, and only a signed attestation makes one.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bottle_evidence::audit::{Entry, RunStart, Workload};
use bottle_evidence::predicate::{Basis, Fact, Mode, Predicate, Stage};
use bottle_evidence::statement::{Statement, Subjects};
use bottle_evidence::{Digest, Text, Time, sha256};
use bottle_images::mountinfo;
use bottle_netns::Layout;
use bottle_netns::survey::Listening;

use super::facts::{self, Facts};
use super::process::ProcessFacts;
use super::unfinished::Unfinished;
use super::{AttestError, Probed, THREAD};
use crate::airlock::Airlock;
use crate::confine::Standing;
use crate::durable::sync_directory_of;
use crate::exec::First;
use crate::init::message::pid_of;
use crate::process::Stat;
use crate::renew::{Kept, Recheck};
use crate::supervisor::signals::Signals;
use crate::{clock, thread};

/// How long an attestation is worth something after it was signed.
const VALIDITY: Duration = Duration::from_secs(24 * 60 * 60);

/// While an attestation is valid that is signed at this moment.
pub(crate) fn valid_from(issued: Time) -> Range<Time> {
    issued..Time::from_micros(issued.micros() + VALIDITY.as_micros() as u64)
}

/// Stage three: measured, probed, signed, recorded. Whoever has one may start the workload once.
///
/// Its fields are private, it is neither cloned nor made from anything else, and [`Airlock::attest`] is its only source.
pub struct Binding {
    airlock: Airlock,
    held: Held,
    vigil: Vigil,
    said: Said,
}

/// What it takes to watch over a workload from its first instruction on. Without it, none begins.
pub(crate) struct Vigil {
    pub(crate) listening: Listening,
    pub(crate) signals: Signals,
    pub(crate) recheck: Arc<Recheck>,
}

/// What is said of a run once, and holds as long as it goes on.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) subjects: Subjects,
    pub(crate) mode: Mode,
    /// The facts that are not measured again.
    pub(crate) asserted: Facts,
}

/// The workload, standing before its execve(2).
pub(crate) struct Held {
    executable: String,
    wall: Option<Standing>,
    pid: u32,
    pidfd: OwnedFd,
    /// The master of its pty, if it has one.
    pub(crate) terminal: Option<OwnedFd>,
    /// Its mount namespace, unless an engine has made it: it ends when this is let go.
    pub(crate) mounts: Option<OwnedFd>,
}

impl Held {
    pub(super) fn new(executable: String, wall: Option<Standing>, descriptors: Vec<OwnedFd>) -> io::Result<Held> {
        let mut descriptors = descriptors.into_iter();
        let pidfd = descriptors.next().ok_or(io::ErrorKind::InvalidData)?;
        let (pid, terminal) = (pid_of(&pidfd)?, descriptors.next());
        Ok(Held { executable, wall, pid, pidfd, terminal, mounts: None })
    }

    /// What was measured of it, with its user namespace: whoever enters later must be the same.
    pub(super) fn first(&self, facts: ProcessFacts) -> io::Result<First> {
        let user_namespace = File::open(format!("/proc/{}/ns/user", self.pid))?.into();
        let mounts = mountinfo::read_at(Path::new(&format!("/proc/{}/mountinfo", self.pid)))?;
        Ok(First { facts, user_namespace, mounts })
    }

    /// Keeps its mounts until they are let go, so that nobody who waits for the end of a process waits for theirs.
    pub(super) fn keep_mounts(&mut self) -> io::Result<()> {
        self.mounts = Some(File::open(format!("/proc/{}/ns/mnt", self.pid))?.into());
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn executable(&self) -> &str {
        &self.executable
    }

    /// Whether its second wall stands, where that is bottle's to put up.
    pub(super) fn wall(&self) -> Option<Standing> {
        self.wall
    }

    /// Its id and start time, which no other process ever has again. The pidfd says that it is still the same one.
    pub(super) fn workload(&self) -> io::Result<Workload> {
        let stat = Stat::read(self.pid)?.ok_or(io::ErrorKind::NotFound)?;
        if pid_of(&self.pidfd)? != self.pid {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Workload { pid: self.pid, start: stat.start })
    }
}

impl Binding {
    /// Signs what was found, makes sure that it still holds, opens the run in the log, and shows the statement.
    pub(super) async fn sign(
        mut airlock: Airlock,
        held: Held,
        first: First,
        keeper: Option<Kept>,
        program: Digest,
        facts: Facts,
        probed: &Probed,
    ) -> Result<Binding, AttestError> {
        let step = |step| move |source| AttestError::Step { step, source };
        let valid = valid_from(clock::now());
        let is_said_once = |(_, fact): &(&String, &Fact)| fact.basis != Basis::Measured;
        let asserted = facts.iter().filter(is_said_once).map(|(name, fact)| (name.clone(), fact.clone())).collect();
        let predicate = Predicate {
            run: Text::new(&airlock.plan.run),
            stage: Stage::Start,
            issued: valid.start,
            expires: valid.end,
            nonce: airlock.plan.nonce,
            mode: mode(&airlock),
            facts,
            probes: facts::probes(probed, &airlock.challenge.answer),
        };
        let subjects = Subjects { binary: program, image: airlock.plan.image, policy: policy(&airlock) };
        let envelope = Statement::new(subjects, predicate)?.sign(&airlock.plan.key)?.to_bytes();
        let path = airlock.plan.attestation.clone();
        let write = |source| AttestError::Write { path: path.clone(), source };
        let unfinished = Unfinished::write(&path, &airlock.plan.run, &envelope).map_err(write)?;
        // From here on a signal must not end us, since the run would have no end in the log: it is heeded when the workload runs.
        let signals = Signals::listen().map_err(step("take over signals"))?;
        let started = std::thread::scope(|scope| {
            // The disk takes its time.
            let durable = thread::within(scope, || unfinished.synchronise()).map_err(step(THREAD))?;
            airlock.unchanged()?;
            let workload = held.workload().map_err(step("identify the workload"))?;
            let start = Entry::RunStart(run_start(&airlock, workload, &envelope));
            airlock.recorder.ledger().append_while(&valid, &start)?;
            let committed = airlock.recorder.ledger().commit().map_err(AttestError::from);
            let durable = durable.join().unwrap_or_else(|_| Err(io::Error::other("the writing thread broke")));
            Ok::<_, AttestError>(committed.and(durable.map_err(write)).map(|()| workload))
        })?;
        let guarded = async {
            let workload = started?;
            airlock.left_alone().await?;
            unfinished.place(sync_directory_of).map_err(write)?;
            let recheck = Recheck::new(&airlock, first, keeper, workload);
            Ok(Arc::new(recheck.map_err(step("prepare to measure all again"))?))
        };
        let guarded: Result<_, AttestError> = guarded.await;
        let recheck = match guarded {
            Ok(recheck) => recheck,
            Err(error) => {
                airlock.close_after(&error);
                return Err(error);
            }
        };
        // From here on its key may be retired: it goes on with it.
        airlock.plan.lease = None;
        airlock.recorder.begin();
        let listening = airlock.state.listening(&Layout::default());
        let said = Said { subjects, mode: mode(&airlock), asserted };
        Ok(Binding { airlock, held, vigil: Vigil { listening, signals, recheck }, said })
    }

    /// Taken apart by the one who starts the workload.
    pub(crate) fn into_parts(self) -> (Airlock, Held, Vigil, Said) {
        (self.airlock, self.held, self.vigil, self.said)
    }
}

fn run_start(airlock: &Airlock, workload: Workload, envelope: &[u8]) -> RunStart {
    RunStart {
        run: Text::new(&airlock.plan.run),
        attestation: sha256(envelope),
        workload,
        command: Text::list(airlock.plan.shown_command().iter().map(String::as_str)),
        mode: mode(airlock),
        policy: policy(airlock),
    }
}

fn mode(airlock: &Airlock) -> Mode {
    match airlock.plan.rules.mode() {
        bottle_policy::rules::Mode::Enforce => Mode::Enforce,
        bottle_policy::rules::Mode::Observe => Mode::Observe,
    }
}

fn policy(airlock: &Airlock) -> Digest {
    Digest(airlock.plan.rules.digest())
}
