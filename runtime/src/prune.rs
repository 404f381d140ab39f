//! Which evidence may go? That of runs that are over and closed in their log: the old ones, and the oldest of too many.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bottle_evidence::Time;
use bottle_evidence::audit::{Entry, Line, MAX_LINE};
use rustix::fs::FlockOperation;

use crate::records::{Known, RemoveError, Shelf, ShelfError};
use crate::segments;
use crate::state::State;

/// The log's name in the directory of a run's evidence.
pub(crate) const LOG: &str = "audit.jsonl";

/// What a directory is called that is being removed: what is left of it is removed by the next prune.
const REMOVED: &str = ".removed";

/// A seal is shorter than this.
const SEAL: u64 = 4096;

/// What may stay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stays {
    /// Runs that ended no longer ago than this.
    pub younger_than: Option<Duration>,
    /// The youngest runs whose evidence takes no more than so many bytes together.
    pub within: Option<u64>,
}

/// What went, and what did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The ids of the runs, the oldest first.
    pub runs: Vec<String>,
    /// How many bytes they took.
    pub bytes: u64,
    /// How many runs are not closed, and stay whatever their age: they run, or their end is not in their log.
    pub unclosed: usize,
}

/// Why evidence could not be removed. What was removed until then is gone as a whole.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The records can't be read.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The record of an ended run can't be removed.
    #[error(transparent)]
    Record(#[from] RemoveError),
    /// A directory can't be read or removed.
    #[error("cannot prune {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A run that is over and closed.
struct Closed {
    id: String,
    directory: PathBuf,
    ended: Time,
    bytes: u64,
    /// Locked, so that no run continues this log while it goes.
    _log: File,
}

/// Removes the evidence of runs that may not stay, and their records with it.
///
/// # Errors
/// [`PruneError`].
pub fn prune(state: &State, shelf: &Shelf, stays: Stays, now: Time) -> Result<Pruned, PruneError> {
    prune_by(state, || shelf.all(), shelf, stays, now)
}

/// The records are read after the evidence: a run that is closed has had its record before, and both go. One that ends
/// meanwhile is not closed yet.
fn prune_by(
    state: &State,
    records: impl FnOnce() -> Result<Vec<Known>, ShelfError>,
    shelf: &Shelf,
    stays: Stays,
    now: Time,
) -> Result<Pruned, PruneError> {
    let (mut closed, mut pruned) = (Vec::new(), Pruned::default());
    let Some(_turn) = turn(&state.runs()).map_err(failed(&state.runs()))? else { return Ok(pruned) };
    for (id, directory) in runs(&state.runs())? {
        match Closed::of(id, &directory).map_err(failed(&directory))? {
            Some(run) => closed.push(run),
            None => pruned.unclosed += 1,
        }
    }
    let mut known: BTreeMap<String, Known> =
        records()?.into_iter().map(|known| (known.record.id.clone(), known)).collect();
    let found = closed.len();
    // Its supervisor may still wait for those who read what it wrote.
    closed.retain(|run| !known.get(&run.id).is_some_and(Known::is_alive));
    pruned.unclosed += found - closed.len();
    for run in going(closed, stays, now) {
        if let Some(known) = known.remove(&run.id) {
            shelf.remove(&known)?;
        }
        run.remove().map_err(failed(&run.directory))?;
        pruned.bytes += run.bytes;
        pruned.runs.push(run.id);
    }
    Ok(pruned)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PruneError {
    let path = path.to_owned();
    move |source| PruneError::Io { path, source }
}

/// One prune at a time: another would find what this one is just removing. None where there never was a run.
fn turn(runs: &Path) -> io::Result<Option<File>> {
    let directory = match File::open(runs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    rustix::io::retry_on_intr(|| rustix::fs::flock(&directory, FlockOperation::LockExclusive))?;
    Ok(Some(directory))
}

/// The directories of runs, by id. What an earlier prune left is removed.
fn runs(directory: &Path) -> Result<Vec<(String, PathBuf)>, PruneError> {
    let mut runs = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let entry = entry.map_err(failed(directory))?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if !entry.file_type().map_err(failed(&path))?.is_dir() {
            continue;
        }
        match name.strip_suffix(REMOVED) {
            Some(_) => fs::remove_dir_all(&path).map_err(failed(&path))?,
            None => runs.push((name, path)),
        }
    }
    Ok(runs)
}

/// Those that may not stay, the oldest first.
fn going(mut closed: Vec<Closed>, stays: Stays, now: Time) -> Vec<Closed> {
    closed.sort_by_key(|run| (run.ended, run.id.clone()));
    let mut all: u64 = closed.iter().map(|run| run.bytes).sum();
    let goes = |run: &Closed| {
        let old = stays.younger_than.is_some_and(|most| now.since(run.ended) > most);
        let beyond = stays.within.is_some_and(|most| all > most);
        let goes = old || beyond;
        all -= if goes { run.bytes } else { 0 };
        goes
    };
    // Whoever is younger than one that stays may stay, too.
    let count = closed.iter().map(goes).take_while(|goes| *goes).count();
    closed.truncate(count);
    closed
}

impl Closed {
    /// The run whose evidence lies here; None where its log is not here, not closed or being written.
    fn of(id: String, directory: &Path) -> io::Result<Option<Closed>> {
        let path = directory.join(LOG);
        let log = match segments::regular(&path) {
            // What is no log holds no run that is closed.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => {
                return Ok(None);
            }
            log => log?,
        };
        if rustix::fs::flock(&log, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        // Another prune may have removed it meanwhile. From here on none does.
        let (there, held) = (path.symlink_metadata(), log.metadata()?);
        if !there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
            return Ok(None);
        }
        // Where files are missing it is not known what was in them.
        let Ok(files) = segments::of_own(&path) else { return Ok(None) };
        let last = match files.last().filter(|_| files.len() > 1).map(|path| segments::regular(path)).transpose() {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
            last => last?,
        };
        let Some(ended) = end_of(last.as_ref().unwrap_or(&log))? else { return Ok(None) };
        let mut bytes = 0;
        for entry in fs::read_dir(directory)? {
            bytes += entry?.metadata()?.size();
        }
        Ok(Some(Closed { id, directory: directory.to_owned(), ended, bytes, _log: log }))
    }

    /// Under another name first, so that evidence is there whole or not at all.
    fn remove(&self) -> io::Result<()> {
        let mut name = self.directory.clone().into_os_string();
        name.push(REMOVED);
        fs::rename(&self.directory, &name)?;
        fs::remove_dir_all(&name)
    }
}

/// When the last run of this log ended, if its end is sealed.
fn end_of(mut log: &File) -> io::Result<Option<Time>> {
    let most = MAX_LINE as u64 + SEAL;
    let length = log.metadata()?.size();
    log.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    log.take(most).read_to_end(&mut bytes)?;
    let Some(text) = bytes.strip_suffix(b"\n") else { return Ok(None) };
    let mut lines = text.rsplit(|byte| *byte == b'\n').map(Line::from_bytes);
    let (Some(Ok(seal)), Some(Ok(end))) = (lines.next(), lines.next()) else { return Ok(None) };
    let is_closed = matches!((&seal.entry, &end.entry), (Entry::Seal(_), Entry::RunEnd(_)));
    Ok(is_closed.then_some(end.time))
}

#[cfg(test)]
#[path = "prune_tests.rs"]
mod tests;
