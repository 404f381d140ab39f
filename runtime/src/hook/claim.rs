//! Whose bottle is a container's? One supervisor's, who holds a lock under the container's name for as long as it lives.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use bottle_evidence::sha256;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::FlockOperation;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::State;
use crate::process::Stat;
use crate::state::{StateError, make_private};
use crate::thread;

/// How long a supervisor may take to end when its container has, and when it was killed.
const ENDING: Duration = Duration::from_secs(20);
const KILLED: Duration = Duration::from_secs(10);

/// How long the container's first process may take, of which its engine says that it has ended.
const DYING: Duration = Duration::from_secs(5);

/// A container that is this process's to supervise.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    _lock: File,
}

/// How it came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was there, or nothing any more.
    Gone,
    /// Its supervisor has ended by itself.
    Ended,
    /// Its supervisor had to be killed.
    Killed,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Somebody has it.
    #[error("the container {0} has a bottle already")]
    Taken(String),
    /// The directory can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The lock can't be had.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another by its name, in the same bundle, has come to nothing.
    #[error("the container {0} has not ended: its first process is there")]
    Runs(String),
    /// A supervisor does not end.
    #[error("the supervisor {0} of the container does not end, though it was killed")]
    Stuck(u32),
}

impl Claim {
    /// Takes a container. `run` is the state directory that ends with the boot.
    ///
    /// # Errors
    /// [`ClaimError`]
    pub fn take(run: &Path, uid: u32, state: &State) -> Result<Claim, ClaimError> {
        make_private(&directory(run), uid)?;
        let path = place(run, state);
        let failed = |source| ClaimError::Lock { path: path.clone(), source };
        loop {
            let mut lock =
                File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
            match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(ClaimError::Taken(state.id.clone())),
                locked => locked.map_err(|errno| failed(errno.into()))?,
            }
            // Whoever had it may have removed it between the two.
            if is_still_named(&lock, &path) {
                let line = line(&Holder::this().map_err(failed)?, Holder::of(state.pid).map_err(failed)?.as_ref());
                lock.write_all(line.as_bytes()).map_err(failed)?;
                return Ok(Claim { path, _lock: lock });
            }
        }
    }

    /// Waits until a container that has ended is nobody's any more; sees to it if that takes too long. One that has not ended keeps what it has: an
    /// engine says the same of another one by its name that it could not make.
    ///
    /// # Errors
    /// [`ClaimError`]
    pub fn end(run: &Path, state: &State) -> Result<Ending, ClaimError> {
        let path = place(run, state);
        let failed = |source| ClaimError::Lock { path: path.clone(), source };
        let lock = match File::options().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ending::Gone),
            opened => opened.map_err(failed)?,
        };
        if let Some(first) = container(&lock).map_err(failed)?
            && !ends_within(&first, DYING).map_err(failed)?
        {
            return Err(ClaimError::Runs(state.id.clone()));
        }
        let (tell, told) = channel();
        let waiting = lock.try_clone().map_err(failed)?;
        thread::begin(move || {
            // Whoever gave up has gone.
            let _ = tell.send(rustix::fs::flock(&waiting, FlockOperation::LockExclusive));
        })
        .map_err(failed)?;
        let mut ending = Ending::Ended;
        let mut locked = told.recv_timeout(ENDING);
        if locked == Err(RecvTimeoutError::Timeout) {
            let holder = Holder::read(&lock).map_err(failed)?;
            if let Some(supervisor) = holder.held().map_err(failed)? {
                rustix::process::pidfd_send_signal(&supervisor, Signal::KILL).map_err(|errno| failed(errno.into()))?;
            }
            ending = Ending::Killed;
            locked = told.recv_timeout(KILLED);
            if locked.is_err() {
                return Err(ClaimError::Stuck(holder.pid));
            }
        }
        locked.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(|errno| failed(errno.into()))?;
        if is_still_named(&lock, &path) {
            std::fs::remove_file(&path).map_err(failed)?;
        }
        Ok(ending)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // What is left is removed by whoever stops or creates the container next.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn directory(run: &Path) -> PathBuf {
    run.join("containers")
}

/// Two engines may call their containers by the same name, but not in the same bundle.
fn place(run: &Path, state: &State) -> PathBuf {
    let name = format!("{}\0{}", state.id, state.bundle.display());
    directory(run).join(sha256(name.as_bytes()).to_string())
}

fn is_still_named(lock: &File, path: &Path) -> bool {
    let identity = |file: &std::fs::Metadata| (file.dev(), file.ino());
    match (lock.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => identity(&held) == identity(&named),
        _ => false,
    }
}

/// The first process of the container, as far as its lock says so and it is there.
fn container(lock: &File) -> io::Result<Option<OwnedFd>> {
    holders(lock)?.get(1).map_or(Ok(None), Holder::held)
}

fn ends_within(process: &OwnedFd, limit: Duration) -> io::Result<bool> {
    let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: 0 };
    Ok(rustix::event::poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&limit))? > 0)
}

/// The line of a lock: who supervises, and the container's first process. Of one length, whoever they are: what another has left is written over.
fn line(supervisor: &Holder, first: Option<&Holder>) -> String {
    let [supervisor, first] = [Some(supervisor), first].map(|it| it.map_or((0, 0), |it| (it.pid, it.start)));
    format!("{:>10} {:>20} {:>10} {:>20}\n", supervisor.0, supervisor.1, first.0, first.1)
}

/// Those of whom the line tells, the supervisor first; none where nothing is written yet.
fn holders(lock: &File) -> io::Result<Vec<Holder>> {
    let mut bytes = [0; LINE];
    let read = lock.read_at(&mut bytes, 0)?;
    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
    let numbers: Vec<u64> = text.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
    let holder = |pair: &[u64]| Some(Holder { pid: pair[0].try_into().ok().filter(|pid| *pid > 0)?, start: pair[1] });
    Ok(numbers.chunks_exact(2).map_while(holder).collect())
}

/// The length of that line.
const LINE: usize = 64;

/// Who has a container, as its lock says, or its first process.
#[derive(Debug, PartialEq, Eq)]
struct Holder {
    pid: u32,
    /// By which it is told from another process of its number.
    start: u64,
}

impl Holder {
    fn this() -> io::Result<Holder> {
        Holder::of(std::process::id())?.ok_or(io::ErrorKind::NotFound.into())
    }

    /// Nothing where there is no such process.
    fn of(pid: u32) -> io::Result<Option<Holder>> {
        Ok(Stat::read(pid)?.map(|stat| Holder { pid, start: stat.start }))
    }

    fn read(lock: &File) -> io::Result<Holder> {
        holders(lock)?.into_iter().next().ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Nothing if it is gone.
    fn held(&self) -> io::Result<Option<OwnedFd>> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            pidfd => pidfd?,
        };
        // Looked at when it is held: whoever this is now, the descriptor means.
        Ok(Stat::read(self.pid)?.is_some_and(|stat| stat.start == self.start).then_some(pidfd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Status;

    fn state(id: &str) -> State {
        let (oci_version, bundle) = ("1.0.2".into(), "/b".into());
        State { oci_version, id: id.into(), status: Status::Stopped, pid: 0, bundle }
    }

    #[test]
    fn a_container_has_one_bottle_until_that_has_ended() {
        let run = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let claim = Claim::take(run.path(), uid, &state("a")).unwrap();
        assert!(matches!(Claim::take(run.path(), uid, &state("a")), Err(ClaimError::Taken(_))));
        let _other = Claim::take(run.path(), uid, &state("b")).unwrap();
        let ended = std::thread::scope(|scope| {
            let ending = scope.spawn(|| Claim::end(run.path(), &state("a")).unwrap());
            drop(claim);
            ending.join().unwrap()
        });
        assert!(matches!(ended, Ending::Ended | Ending::Gone));
        assert_eq!(Claim::end(run.path(), &state("a")).unwrap(), Ending::Gone);
        assert!(Claim::take(run.path(), uid, &state("a")).is_ok());
    }

    #[test]
    fn what_a_killed_supervisor_has_left_is_removed() {
        let run = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        std::mem::forget(Claim::take(run.path(), uid, &state("a")).unwrap()._lock.try_clone());
        let path = place(run.path(), &state("a"));
        std::fs::write(&path, "left").unwrap();
        assert_eq!(Claim::end(run.path(), &state("a")).unwrap(), Ending::Ended);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_container_has_that_runs_is_not_ended_and_what_one_has_that_is_gone_is() {
        let run = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let running = State { pid: child.id(), ..state("a") };
        let claim = Claim::take(run.path(), uid, &running).unwrap();
        assert_eq!(line(&Holder::this().unwrap(), None).len(), LINE);
        assert!(matches!(Claim::end(run.path(), &state("a")), Err(ClaimError::Runs(_))));
        child.kill().unwrap();
        // Nobody has waited for it yet.
        let ended = std::thread::scope(|scope| {
            let ending = scope.spawn(|| Claim::end(run.path(), &state("a")).unwrap());
            drop(claim);
            ending.join().unwrap()
        });
        assert!(matches!(ended, Ending::Ended | Ending::Gone));
        child.wait().unwrap();
    }

    #[test]
    fn who_holds_a_claim_is_told_from_another_process_of_its_number() {
        let run = tempfile::tempdir().unwrap();
        let _claim = Claim::take(run.path(), rustix::process::geteuid().as_raw(), &state("a")).unwrap();
        let holder = Holder::read(&File::open(place(run.path(), &state("a"))).unwrap()).unwrap();
        assert_eq!(holder, Holder::this().unwrap());
        assert!(holder.held().unwrap().is_some());
        assert!(Holder { start: holder.start + 1, ..holder }.held().unwrap().is_none());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(Holder { pid: child.id(), start: 0 }.held().unwrap().is_none());
    }
}
