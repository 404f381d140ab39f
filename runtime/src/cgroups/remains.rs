//! Which groups did a run leave that was killed? Each run with limits keeps a record, locked as long as it lives.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// The directory of the records, in that of the state which ends with the boot.
const RECORDS: &str = "groups";

/// Why groups can't be recorded, or what is recorded not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep a record of control groups in {}", path.display())]
pub struct RemainsError {
    path: PathBuf,
    source: io::Error,
}

impl RemainsError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "set BOTTLE_ROOT to a directory of your own"
    }
}

/// Which groups belong to a run that lives. Its lock goes with the process, whatever ends it.
#[derive(Debug)]
pub(super) struct Record {
    file: PathBuf,
    groups: Vec<PathBuf>,
    _lock: File,
}

impl Record {
    /// Written before any of the groups is made.
    pub(super) fn write<'a>(
        state: &Path,
        run: &str,
        groups: impl Iterator<Item = &'a Path>,
    ) -> Result<Record, RemainsError> {
        let directory = state.join(RECORDS);
        let failed = |source| RemainsError { path: directory.clone(), source };
        let groups: Vec<PathBuf> = groups.map(Path::to_owned).collect();
        match fs::create_dir(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let file = directory.join(run);
        let lock = locked(&directory, || record(&file, &groups)).map_err(failed)?;
        Ok(Record { file, groups, _lock: lock })
    }
}

/// A record without a lock would be taken for a dead run's.
fn record(file: &Path, groups: &[PathBuf]) -> io::Result<File> {
    let mut record = File::create_new(file)?;
    rustix::fs::flock(&record, FlockOperation::NonBlockingLockExclusive)?;
    groups.iter().try_for_each(|group| writeln!(record, "{}", group.display()))?;
    Ok(record)
}

impl Drop for Record {
    fn drop(&mut self) {
        // Groups that are left need it.
        if self.groups.iter().all(|group| !group.exists()) {
            let _ = fs::remove_file(&self.file);
        }
    }
}

/// Acts while nobody else makes, or looks at, records.
fn locked<R>(directory: &Path, act: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    let directory = File::open(directory)?;
    rustix::fs::flock(&directory, FlockOperation::LockExclusive)?;
    act()
}

/// Removes the groups of runs that are dead. Returns how many runs those were.
///
/// # Errors
/// Where the records can't be read. What can't be removed is left, for the next time.
pub(crate) fn sweep(state: &Path) -> Result<usize, RemainsError> {
    let directory = state.join(RECORDS);
    match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Ok(mut records) => {
            if records.next().is_none() {
                return Ok(0);
            }
        }
        Err(_) => {}
    }
    let swept = locked(&directory, || Ok(fs::read_dir(&directory)?.flatten().filter(is_swept).count()));
    swept.map_err(|source| RemainsError { path: directory, source })
}

fn is_swept(record: &fs::DirEntry) -> bool {
    remove(&record.path(), &record.file_name().to_string_lossy()).unwrap_or(false)
}

/// Whether this was a dead run's, and all of it is gone. Only what has its name is removed, and only empty groups can be.
fn remove(record: &Path, run: &str) -> io::Result<bool> {
    let mut file = File::open(record)?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    let mut groups = String::new();
    file.read_to_string(&mut groups)?;
    let name = super::group::name(run);
    let mut found = false;
    for group in groups.lines().map(Path::new).filter(|group| group.file_name() == Some(name.as_ref())) {
        match fs::remove_dir(group) {
            Ok(()) => found = true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    fs::remove_file(record)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories stand for groups: both are removed only when they are empty.
    fn groups(state: &Path, run: &str) -> Vec<PathBuf> {
        let groups: Vec<PathBuf> =
            ["memory", "pids"].iter().map(|name| state.join(name).join(super::super::group::name(run))).collect();
        groups.iter().for_each(|group| fs::create_dir_all(group).unwrap());
        groups
    }

    fn written(state: &Path, run: &str, groups: &[PathBuf]) -> Record {
        Record::write(state, run, groups.iter().map(PathBuf::as_path)).unwrap()
    }

    fn records(state: &Path) -> usize {
        fs::read_dir(state.join(RECORDS)).unwrap().count()
    }

    #[test]
    fn what_a_dead_run_left_is_removed_and_what_a_living_one_has_is_not() {
        let state = tempfile::tempdir().unwrap();
        let (dead, living) = (groups(state.path(), "dead"), groups(state.path(), "living"));
        // A killed process drops nothing, and its locks are gone.
        let Record { _lock: lock, .. } = &*std::mem::ManuallyDrop::new(written(state.path(), "dead", &dead));
        rustix::fs::flock(lock, FlockOperation::Unlock).unwrap();
        let _living = written(state.path(), "living", &living);
        assert_eq!(sweep(state.path()).unwrap(), 1);
        assert!(dead.iter().all(|group| !group.exists()) && living.iter().all(|group| group.exists()));
        assert_eq!((records(state.path()), sweep(state.path()).unwrap()), (1, 0));
    }

    #[test]
    fn what_dead_runs_left_is_removed_once_however_many_look_at_once() {
        const DEAD: usize = 100;
        let state = tempfile::tempdir().unwrap();
        for run in 0..DEAD {
            let run = format!("dead-{run}");
            let made = groups(state.path(), &run);
            let Record { _lock: lock, .. } = &*std::mem::ManuallyDrop::new(written(state.path(), &run, &made));
            rustix::fs::flock(lock, FlockOperation::Unlock).unwrap();
        }
        let made = groups(state.path(), "living");
        let _living = written(state.path(), "living", &made);
        let swept = std::thread::scope(|scope| {
            let sweepers = [(); 4].map(|()| scope.spawn(|| sweep(state.path()).unwrap()));
            sweepers.map(|sweeper| sweeper.join().unwrap())
        });
        assert_eq!((swept.iter().sum::<usize>(), records(state.path())), (DEAD, 1), "{swept:?}");
        assert!(made.iter().all(|group| group.exists()));
    }

    #[test]
    fn a_record_goes_with_its_groups_and_not_before() {
        let state = tempfile::tempdir().unwrap();
        let made = groups(state.path(), "one");
        drop(written(state.path(), "one", &made));
        assert_eq!(records(state.path()), 1);
        made.iter().for_each(|group| fs::remove_dir(group).unwrap());
        assert_eq!(sweep(state.path()).unwrap(), 0);
        assert_eq!(records(state.path()), 0);
    }

    #[test]
    fn a_record_that_names_something_else_removes_nothing_of_it() {
        let state = tempfile::tempdir().unwrap();
        let other = state.path().join("precious");
        fs::create_dir(&other).unwrap();
        drop(written(state.path(), "one", std::slice::from_ref(&other)));
        assert_eq!(sweep(state.path()).unwrap(), 0);
        assert!(other.exists());
    }

    #[test]
    fn without_records_there_is_nothing_to_do() {
        assert_eq!(sweep(Path::new("/nowhere")).unwrap(), 0);
    }
}
