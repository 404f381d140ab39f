//! What does it take to start a workload? A binding, and only a signed attestation makes one.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bottle_evidence::audit::{Entry, RunStart, Workload};
use bottle_evidence::predicate::{Mode, Predicate};
use bottle_evidence::statement::{Statement, Subjects};
use bottle_evidence::{Digest, Text, Time, sha256};
use bottle_netns::Layout;
use bottle_netns::survey::Listening;

use super::facts::{self, Facts};
use super::process::ProcessFacts;
use super::{AttestError, Probed, THREAD};
use crate::airlock::Airlock;
use crate::durable::{directory_of, sync_directory_of};
use crate::exec::First;
use crate::init::message::pid_of;
use crate::supervisor::signals::Signals;
use crate::{clock, thread, whole};

/// How long an attestation is worth something after it was signed.
const VALIDITY: Duration = Duration::from_secs(24 * 60 * 60);

/// Stage three: measured, probed, signed, recorded. Whoever has one may start the workload once.
///
/// Its fields are private, it is neither cloned nor made from anything else, and [`Airlock::attest`] is its only source.
pub struct Binding {
    airlock: Airlock,
    held: Held,
    listening: Listening,
    signals: Signals,
}

/// The workload, standing before its execve(2).
pub(crate) struct Held {
    executable: String,
    pub(crate) pid: u32,
    pidfd: OwnedFd,
    /// The master of its pty, if it has one.
    pub(crate) terminal: Option<OwnedFd>,
    /// What was found of it.
    pub(crate) first: Option<First>,
}

impl Held {
    pub(super) fn new(executable: String, descriptors: Vec<OwnedFd>) -> io::Result<Held> {
        let mut descriptors = descriptors.into_iter();
        let pidfd = descriptors.next().ok_or(io::ErrorKind::InvalidData)?;
        Ok(Held { executable, pid: pid_of(&pidfd)?, pidfd, terminal: descriptors.next(), first: None })
    }

    /// Keeps what was measured of it, and its user namespace: whoever enters later must be the same.
    pub(super) fn measured(&mut self, facts: ProcessFacts) -> io::Result<()> {
        let user_namespace = File::open(format!("/proc/{}/ns/user", self.pid))?.into();
        self.first = Some(First { facts, user_namespace });
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn executable(&self) -> &str {
        &self.executable
    }

    /// Its id and start time, which no other process ever has again. The pidfd says that it is still the same one.
    pub(super) fn workload(&self) -> io::Result<Workload> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let after_name = stat.rsplit_once(") ").ok_or(io::ErrorKind::InvalidData)?.1;
        let start =
            after_name.split(' ').nth(19).and_then(|ticks| ticks.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        if pid_of(&self.pidfd)? != self.pid {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Workload { pid: self.pid, start })
    }
}

impl Binding {
    /// Signs what was found, makes sure that it still holds, opens the run in the log, and shows the statement.
    pub(super) fn sign(
        airlock: Airlock,
        held: Held,
        program: Digest,
        facts: Facts,
        probed: &Probed,
    ) -> Result<Binding, AttestError> {
        let step = |step| move |source| AttestError::Step { step, source };
        let issued = clock::now();
        let predicate = Predicate {
            run: Text::new(&airlock.plan.run),
            issued,
            expires: Time::from_micros(issued.micros() + VALIDITY.as_micros() as u64),
            nonce: airlock.plan.nonce.map_or_else(drawn, Ok).map_err(step("draw random numbers"))?,
            mode: mode(&airlock),
            facts,
            probes: facts::probes(probed, &airlock.challenge.answer),
        };
        let subjects = Subjects { binary: program, image: airlock.plan.image, policy: policy(&airlock) };
        let envelope = Statement::new(subjects, predicate).sign(&airlock.plan.key)?.to_bytes();
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
            airlock.recorder.ledger().append(&Entry::RunStart(run_start(&airlock, workload, &envelope)))?;
            let committed = airlock.recorder.ledger().commit().map_err(AttestError::from);
            let durable = durable.join().unwrap_or_else(|_| Err(io::Error::other("the writing thread broke")));
            Ok::<_, AttestError>(committed.and(durable.map_err(write)))
        })?;
        if let Err(error) = started.and_then(|()| unfinished.place(sync_directory_of).map_err(write)) {
            airlock.close_after(&error);
            return Err(error);
        }
        airlock.recorder.begin();
        let listening = airlock.state.listening(&Layout::default());
        Ok(Binding { airlock, held, listening, signals })
    }

    /// Taken apart by the one who starts the workload.
    pub(crate) fn into_parts(self) -> (Airlock, Held, Listening, Signals) {
        (self.airlock, self.held, self.listening, self.signals)
    }
}

/// A nonce that no verifier gave.
fn drawn() -> io::Result<Digest> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(Digest(bytes))
}

fn run_start(airlock: &Airlock, workload: Workload, envelope: &[u8]) -> RunStart {
    RunStart {
        run: Text::new(&airlock.plan.run),
        attestation: sha256(envelope),
        workload,
        command: Text::list(airlock.plan.argv.iter().map(String::as_str)),
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

/// An attestation on the disk that nobody can take for one yet. Gone when dropped, and when bottle is killed: a signed
/// statement must not outlive a binding that did not come about.
struct Unfinished<'a> {
    file: File,
    path: &'a Path,
    /// The name that it has, if any.
    name: Option<PathBuf>,
    /// The byte that it lacks to be a statement, if it has a name.
    first: Option<u8>,
}

impl Unfinished<'_> {
    fn write<'a>(path: &'a Path, run: &str, bytes: &[u8]) -> io::Result<Unfinished<'a>> {
        let Some(mut file) = whole::nameless(File::open(directory_of(path))?, 0o600)? else {
            return Unfinished::write_spoiled(path, run, bytes);
        };
        file.write_all(bytes)?;
        Ok(Unfinished { file, path, name: None, first: None })
    }

    /// Where every file has a name, what is killed leaves a file. It is no statement without its first byte.
    fn write_spoiled<'a>(path: &'a Path, run: &str, bytes: &[u8]) -> io::Result<Unfinished<'a>> {
        let mut name = path.to_owned().into_os_string();
        name.push(format!(".{run}"));
        let name = PathBuf::from(name);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&name)?;
        let unfinished = Unfinished { file, path, name: Some(name), first: bytes.first().copied() };
        unfinished.file.write_all_at(bytes, 0)?;
        unfinished.file.write_all_at(&[0], 0)?;
        Ok(unfinished)
    }

    fn synchronise(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Puts it where it belongs, so that nobody ever sees half an attestation, and returns when a crash of the machine
    /// can't undo that.
    fn place(mut self, sync_directory_of: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        match &self.name {
            Some(name) => std::fs::rename(name, self.path)?,
            None => self.replace()?,
        }
        self.name = Some(self.path.to_owned());
        if let Some(first) = self.first {
            self.file.write_all_at(&[first], 0)?;
            self.file.sync_all()?;
        }
        sync_directory_of(self.path)?;
        self.name = None;
        Ok(())
    }

    /// Only a name that is free can be given to a file that has none.
    fn replace(&self) -> io::Result<()> {
        let name = self.path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        match std::fs::remove_file(self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => whole::name(&self.file, File::open(directory_of(self.path))?, name),
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // The error that led here is the one that matters.
            let _ = std::fs::remove_file(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attestation_that_was_not_placed_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attestation.json");
        drop(Unfinished::write_spoiled(&path, "run", b"signed").unwrap());
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    }

    #[test]
    fn an_attestation_that_is_not_placed_yet_is_nowhere_or_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attestation.json");
        let unfinished = Unfinished::write(&path, "run", b"signed").unwrap();
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        drop(unfinished);
        let unfinished = Unfinished::write_spoiled(&path, "run", b"signed").unwrap();
        assert_eq!(std::fs::read(directory.path().join("attestation.json.run")).unwrap(), b"\0igned");
        unfinished.place(sync_directory_of).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"signed");
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn an_attestation_counts_as_placed_when_its_name_is_on_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attestation.json");
        let synced = std::cell::Cell::new(false);
        let sync = |at: &Path| {
            synced.set(at == path && at.exists());
            Ok(())
        };
        Unfinished::write(&path, "run", b"signed").unwrap().place(sync).unwrap();
        assert!(synced.get());
        let fail = |_: &Path| Err(io::ErrorKind::StorageFull.into());
        assert!(Unfinished::write(&path, "run", b"signed").unwrap().place(fail).is_err());
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "a signed statement of a binding that is none");
    }

    #[test]
    fn a_placed_attestation_replaces_the_last_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attestation.json");
        for text in ["one", "another"] {
            Unfinished::write(&path, "run", text.as_bytes()).unwrap().place(sync_directory_of).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    }
}
