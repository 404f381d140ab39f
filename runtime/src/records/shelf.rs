//! Where do the records lie, and how is one found? Below `records/`, by id, and below `names/`, by name.
//!
//! To put a record there, to claim a name and to remove either takes the turn: a lock on the directory of all. To read takes none.

use std::cmp::Reverse;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};
use serde::de::DeserializeOwned;

use super::own::{self, Own};
use super::{Afterwards, End, Name, Record};
use crate::state::{State, StateError, make_private};

pub(super) const RECORD: &str = "run.json";
pub(super) const END: &str = "exit.json";
const LOCK: &str = "lock";

/// All records of one user.
#[derive(Clone, Debug)]
pub struct Shelf {
    records: PathBuf,
    names: PathBuf,
}

/// A run that there is a record of.
#[derive(Clone, Debug)]
pub struct Known {
    /// What it is.
    pub record: Record,
    /// How it is.
    pub condition: Condition,
    pub(crate) directory: PathBuf,
}

/// How a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Its first process has not been released yet.
    Starting,
    /// It was.
    Running,
    /// It came to an end.
    Ended(End),
    /// Its supervisor ended and left no word: it was killed, or the machine was.
    Lost,
}

/// Why records can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The directories are unusable.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file is.
    #[error("cannot use the record {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another one is called so.
    #[error("there is a bottle {name} already: {id}")]
    Taken {
        /// The name.
        name: Name,
        /// Whose it is.
        id: String,
    },
}

/// Why no run is meant.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// None is called so.
    #[error("there is no bottle {0:?}")]
    Unknown(String),
    /// Several ids begin so.
    #[error("{0:?} is the beginning of several ids")]
    Ambiguous(String),
    /// The records can't be read.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

/// Why a record was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// Its run lives.
    #[error("the bottle {0} runs")]
    Alive(Name),
    /// A file can't be removed.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ShelfError {
    let path = path.to_owned();
    move |source| ShelfError::Io { path, source }
}

impl Shelf {
    /// The records in these directories, which are made if they are missing.
    pub fn open(state: &State, uid: u32) -> Result<Shelf, ShelfError> {
        let shelf = Shelf { records: state.data.join("records"), names: state.data.join("names") };
        make_private(&shelf.records, uid)?;
        make_private(&shelf.names, uid)?;
        Ok(shelf)
    }

    /// Puts a new record there and claims its name where it was `given` one.
    pub(crate) fn enter(&self, record: Record, given: bool) -> Result<Own, ShelfError> {
        let directory = self.records.join(&record.id);
        let _turn = self.turn()?;
        DirBuilder::new().mode(0o700).create(&directory).map_err(failed(&directory))?;
        let entered = new_lock(&directory).map_err(failed(&directory)).and_then(|lock| {
            if given {
                self.claim(&record)?;
            }
            own::write(&directory, RECORD, &record).map_err(failed(&directory))?;
            Ok(lock)
        });
        match entered {
            Ok(lock) => Ok(Own::new(self.clone(), directory, record, lock)),
            Err(error) => {
                // The error that led here is the one that matters.
                let _ = self.remove_files(&record.id, &record.name);
                Err(error)
            }
        }
    }

    /// A name is a symbolic link that says whose it is. One that leads to no record was left by a process that was killed.
    fn claim(&self, record: &Record) -> Result<(), ShelfError> {
        let link = self.names.join(record.name.as_str());
        loop {
            match symlink(&record.id, &link) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => return done.map_err(failed(&link)),
            }
            let id = std::fs::read_link(&link).map_err(failed(&link))?.to_string_lossy().into_owned();
            if self.records.join(&id).join(RECORD).exists() {
                return Err(ShelfError::Taken { name: record.name.clone(), id });
            }
            std::fs::remove_file(&link).map_err(failed(&link))?;
        }
    }

    /// Every run that there is a record of, the youngest first. What was left by a killed supervisor and was to be kept by
    /// nobody is removed.
    pub fn all(&self) -> Result<Vec<Known>, ShelfError> {
        let mut all = Vec::new();
        for id in self.ids()? {
            match self.read(&id) {
                Some(known) if !known.is_forgotten() => all.push(known),
                _ => self.sweep(&id)?,
            }
        }
        all.sort_by_key(|known| Reverse(known.record.created));
        Ok(all)
    }

    /// The run of this name, or whose id begins so.
    pub fn find(&self, text: &str) -> Result<Known, FindError> {
        let unknown = || FindError::Unknown(text.to_owned());
        let Ok(name) = text.parse::<Name>() else { return Err(unknown()) };
        let named = std::fs::read_link(self.names.join(name.as_str())).ok();
        let named = named.and_then(|id| self.read(&id.to_string_lossy())).filter(|known| known.record.name == name);
        let found = named.map_or_else(|| self.by_id(text), |known| Ok(Some(known)))?;
        found.filter(|known| !known.is_forgotten()).ok_or_else(unknown)
    }

    fn by_id(&self, beginning: &str) -> Result<Option<Known>, FindError> {
        let ids: Vec<String> = self.ids()?.into_iter().filter(|id| id.starts_with(beginning)).collect();
        match &ids[..] {
            [] => Ok(None),
            [id] => Ok(self.read(id)),
            _ => Err(FindError::Ambiguous(beginning.to_owned())),
        }
    }

    /// Removes the record of a run that has ended, and its output. Never its evidence.
    pub fn remove(&self, known: &Known) -> Result<(), RemoveError> {
        let _turn = self.turn()?;
        match is_held(&known.directory) {
            Ok(false) => Ok(self.remove_files(&known.record.id, &known.record.name)?),
            Ok(true) => Err(RemoveError::Alive(known.record.name.clone())),
            // Somebody else has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(&known.directory)(error).into()),
        }
    }

    /// Removes the record whose lock the calling process holds.
    pub(super) fn discard(&self, record: &Record) -> Result<(), ShelfError> {
        let _turn = self.turn()?;
        self.remove_files(&record.id, &record.name)
    }

    /// Without its `run.json` a record is none, so that goes first.
    fn remove_files(&self, id: &str, name: &Name) -> Result<(), ShelfError> {
        let directory = self.records.join(id);
        let gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        gone(std::fs::remove_file(directory.join(RECORD))).map_err(failed(&directory))?;
        let link = self.names.join(name.as_str());
        if std::fs::read_link(&link).is_ok_and(|to| to == Path::new(id)) {
            gone(std::fs::remove_file(&link)).map_err(failed(&link))?;
        }
        gone(std::fs::remove_dir_all(&directory)).map_err(failed(&directory))
    }

    /// Removes what is no record, or a forgotten one. Whoever was just putting it there has the turn or holds its lock.
    fn sweep(&self, id: &str) -> Result<(), ShelfError> {
        let _turn = self.turn()?;
        let directory = self.records.join(id);
        match self.read(id) {
            Some(known) if !known.is_forgotten() => Ok(()),
            Some(known) => self.remove_files(id, &known.record.name),
            None if is_held(&directory).unwrap_or(false) => Ok(()),
            None => self.remove_files(id, &Name::of_id(id)),
        }
    }

    fn ids(&self) -> Result<Vec<String>, ShelfError> {
        let entries = std::fs::read_dir(&self.records).map_err(failed(&self.records))?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn read(&self, id: &str) -> Option<Known> {
        let directory = self.records.join(id);
        let record: Record = parsed(&directory.join(RECORD))?;
        let condition = condition(&directory, &record).ok()?;
        (record.id == id).then_some(Known { record, condition, directory })
    }

    fn turn(&self) -> Result<File, ShelfError> {
        let directory = File::open(&self.records).map_err(failed(&self.records))?;
        lock(&directory, FlockOperation::LockExclusive).map_err(failed(&self.records))?;
        Ok(directory)
    }
}

impl Known {
    /// Nobody was to keep it, and its supervisor is gone.
    fn is_forgotten(&self) -> bool {
        self.record.afterwards == Afterwards::Forget && self.condition == Condition::Lost
    }

    /// Whether its supervisor lives.
    pub fn is_alive(&self) -> bool {
        matches!(self.condition, Condition::Starting | Condition::Running)
    }

    /// Waits until the supervisor has ended, however it does.
    pub fn wait(&self) -> io::Result<()> {
        let file = match File::open(self.directory.join(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        lock(&file, FlockOperation::LockShared)
    }

    /// The same, for a bounded time; whether it has ended.
    pub fn wait_for(&self, limit: Duration) -> io::Result<bool> {
        let (ended, wait) = std::sync::mpsc::channel();
        let known = self.clone();
        // It waits on by itself where nobody listens any more.
        std::thread::spawn(move || ended.send(known.wait()));
        match wait.recv_timeout(limit) {
            Ok(waited) => waited.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Kills the supervisor, and so all of the bottle, where it can't be asked. Its log is left without an end.
    pub fn kill_supervisor(&self) -> io::Result<()> {
        let pid = i32::try_from(self.record.supervisor).ok().and_then(Pid::from_raw);
        let pidfd = match rustix::process::pidfd_open(pid.ok_or(io::ErrorKind::InvalidData)?, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(()),
            opened => opened?,
        };
        // Held after the process was opened: so it is the supervisor, and no other one of its number.
        if is_held(&self.directory)? {
            rustix::process::pidfd_send_signal(&pidfd, rustix::process::Signal::KILL)?;
        }
        Ok(())
    }

    /// Where what it writes goes, if it is detached.
    pub fn log(&self) -> Option<PathBuf> {
        self.record.detached.then(|| crate::log::file_in(&self.directory))
    }

    /// The same run as it is now; nothing where its record is gone.
    #[must_use]
    pub fn again(&self) -> Option<Known> {
        let record: Record = parsed(&self.directory.join(RECORD))?;
        let condition = condition(&self.directory, &record).ok()?;
        Some(Known { record, condition, directory: self.directory.clone() })
    }
}

/// The end is looked for twice: it is written before the lock is let go of.
fn condition(directory: &Path, record: &Record) -> io::Result<Condition> {
    let end = || parsed::<End>(&directory.join(END)).map(Condition::Ended);
    if let Some(ended) = end() {
        return Ok(ended);
    }
    match (is_held(directory)?, &record.running) {
        (true, Some(_)) => Ok(Condition::Running),
        (true, None) => Ok(Condition::Starting),
        (false, _) => Ok(end().unwrap_or(Condition::Lost)),
    }
}

fn parsed<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn new_lock(directory: &Path) -> io::Result<File> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(directory.join(LOCK))?;
    lock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

fn is_held(directory: &Path) -> io::Result<bool> {
    match lock(&File::open(directory.join(LOCK))?, FlockOperation::NonBlockingLockShared) {
        Err(error) if error.raw_os_error() == Some(Errno::WOULDBLOCK.raw_os_error()) => Ok(true),
        other => other.map(|()| false),
    }
}

fn lock(file: &File, how: FlockOperation) -> io::Result<()> {
    Ok(rustix::io::retry_on_intr(|| rustix::fs::flock(file, how))?)
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
