//! How do entries get onto the disk? Appended to one chain, sealed in batches, written and synchronised before anyone goes on.
//!
//! A file that has reached its size is left at a seal, and the log goes on in another. One writer per log: the lock on its
//! first file is held as long as it is open. After the first failure, that to begin another file too, nothing is ever appended
//! again, so whoever asks is denied.

#[cfg(not(test))]
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bottle_evidence::audit::{Chain, Ending, Entry, Recovered, RunEnd, recover_segments};
use bottle_evidence::key::{PublicKey, SigningKey};
use rustix::fs::FlockOperation;

pub use super::ledger_error::{Fault, LedgerError};
#[cfg(test)]
use super::recorded::File;
use crate::clock;
use crate::durable::sync_directory_of;
use crate::report::chain;
use crate::secrets::Secrets;
use crate::segments;
use crate::supervisor::redacted;

/// The open log of one run.
pub struct Ledger {
    path: PathBuf,
    key: Arc<SigningKey>,
    pending: Mutex<Pending>,
    /// What is not written as it is.
    secrets: Arc<Secrets>,
    /// From which size on another file is begun.
    most: u64,
    /// Held across write and synchronise, so that batches reach the disk in the chain's order.
    writer: Mutex<Writer>,
}

/// The file that is written.
struct Writer {
    file: File,
    path: PathBuf,
    /// Which of the log's files it is.
    number: u64,
    /// The first one, which has the lock.
    _first: Option<File>,
}

struct Pending {
    chain: Chain,
    lines: Vec<u8>,
    failed: Option<String>,
}

impl Ledger {
    /// Opens or makes the file, takes an interrupted log up again, and says in it that it was interrupted.
    pub fn open(path: &Path, key: Arc<SigningKey>) -> Result<Ledger, LedgerError> {
        Ledger::open_after(path, key, &[])
    }

    /// The same of a log whose earlier runs may have been sealed with one of these keys, which the writer had before.
    pub fn open_after(path: &Path, key: Arc<SigningKey>, earlier: &[PublicKey]) -> Result<Ledger, LedgerError> {
        let mut files = vec![locked(open_file(path, Existing::Wanted)?, path)?];
        for further in &segments::of_own(path)?[1..] {
            files.push(open_file(further, Existing::Wanted)?);
        }
        sync_directory_of(path).map_err(|source| LedgerError::Io { path: path.to_owned(), source })?;
        Ledger::take_up(path, files, key, earlier)
    }

    /// As [`Ledger::open_after`], of files that are open and have their names on the disk.
    pub(super) fn take_up(
        path: &Path,
        files: Vec<impl Into<File>>,
        key: Arc<SigningKey>,
        earlier: &[PublicKey],
    ) -> Result<Ledger, LedgerError> {
        let mut files: Vec<File> = files.into_iter().map(Into::into).collect();
        let readers = files.iter_mut().map(|file| Ok(BufReader::new(file)));
        let recovered = recover_segments(readers, &[std::slice::from_ref(key.public()), earlier].concat())
            .map_err(|source| LedgerError::Foreign { path: segments::path(path, source.segment), source })?;
        let writer = Writer::resume(path, files, &recovered)?;
        let pending = Pending { chain: recovered.chain, lines: Vec::new(), failed: None };
        let (pending, writer) = (Mutex::new(pending), Mutex::new(writer));
        let (secrets, most) = (Arc::default(), segments::USUAL);
        let ledger = Ledger { path: path.to_owned(), key, pending, secrets, most, writer };
        if let Some(mark) = recovered.mark {
            ledger.append(&mark)?;
            ledger.commit()?;
        }
        Ok(ledger)
    }

    /// The same, writing none of these.
    pub(crate) fn without(self, secrets: Arc<Secrets>) -> Ledger {
        Ledger { secrets, ..self }
    }

    /// The same, going on in another file when one has so many bytes.
    pub fn with_files_of(self, most: u64) -> Ledger {
        Ledger { most, ..self }
    }

    /// What is not written as it is.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Puts an entry into the chain, without secrets. It is on no disk before [`Ledger::commit`].
    pub fn append(&self, entry: &Entry) -> Result<(), LedgerError> {
        let mut pending = self.pending();
        pending.usable()?;
        let line = pending.chain.append(clock::now(), &redacted::entry(&self.secrets, entry))?;
        pending.lines.extend(line);
        Ok(())
    }

    /// Puts the run's end into the chain.
    pub fn end(&self, ending: Ending) -> Result<RunEnd, LedgerError> {
        let mut pending = self.pending();
        pending.usable()?;
        let reason = ending.reason.map(|reason| redacted::text(&self.secrets, &reason));
        let (end, line) = pending.chain.end(clock::now(), Ending { reason, ..ending })?;
        pending.lines.extend(line);
        Ok(end)
    }

    /// Seals what was appended and returns when it is on the disk.
    pub fn commit(&self) -> Result<(), LedgerError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |path: &Path, source| self.fail(path, source);
        let before = writer.file.stream_position().map_err(|source| failed(&writer.path, source))?;
        let (lines, is_full) = self.sealed(before)?;
        if lines.is_empty() {
            return Ok(());
        }
        let written = writer.file.write_all(&lines).and_then(|()| writer.file.sync_data());
        written.map_err(|source| {
            // What could be written of the batch is worth nothing; if it can't be cut now, the next opening cuts it.
            let _ = writer.file.set_len(before);
            failed(&writer.path, source)
        })?;
        if is_full { self.begin_next(&mut writer) } else { Ok(()) }
    }

    /// What is to be written, sealed, and whether the file has enough then. If so, what comes next begins another: a run that is
    /// over would leave it without a line.
    fn sealed(&self, before: u64) -> Result<(Vec<u8>, bool), LedgerError> {
        let mut pending = self.pending();
        pending.usable()?;
        if pending.chain.unsealed() > 0 {
            let seal = pending.chain.seal(clock::now(), &self.key)?;
            pending.lines.extend(seal);
        }
        let lines = std::mem::take(&mut pending.lines);
        let is_full =
            before + lines.len() as u64 >= self.most && !lines.is_empty() && pending.chain.summary().is_some();
        if is_full {
            pending.lines = pending.chain.segment(clock::now())?;
        }
        Ok((lines, is_full))
    }

    /// The next file is there before any line of it is written. What was written before is on the disk.
    fn begin_next(&self, writer: &mut Writer) -> Result<(), LedgerError> {
        let path = segments::path(&self.path, writer.number + 1);
        let next = open_file(&path, Existing::Refused).and_then(|file| match sync_directory_of(&path) {
            Ok(()) => Ok(file),
            Err(source) => Err(LedgerError::Io { path: path.clone(), source }),
        });
        let file = next.inspect_err(|error| self.pending().failed = Some(chain(error).join(": ")))?;
        writer.go_on_in(path, file);
        Ok(())
    }

    fn fail(&self, path: &Path, source: io::Error) -> LedgerError {
        self.pending().failed = Some(source.to_string());
        LedgerError::Io { path: path.to_owned(), source }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Cuts what was not written in full, and goes on there. The cut is on the disk before anything is written: else both could
    /// come back, one within the other.
    fn resume(log: &Path, mut files: Vec<File>, recovered: &Recovered) -> Result<Writer, LedgerError> {
        let begun = files.len();
        files.truncate(recovered.segments);
        for number in recovered.segments + 1..=begun {
            let path = segments::path(log, number as u64);
            let removed = std::fs::remove_file(&path).and_then(|()| sync_directory_of(&path));
            removed.map_err(|source| LedgerError::Io { path, source })?;
        }
        let (number, path) = (recovered.segments as u64, segments::path(log, recovered.segments as u64));
        let failed = |source| LedgerError::Io { path: path.clone(), source };
        let mut file = files.pop().ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        if begun == recovered.segments && recovered.torn > 0 {
            file.set_len(recovered.keep).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let first = (!files.is_empty()).then(|| files.swap_remove(0));
        Ok(Writer { file, path, number, _first: first })
    }

    fn go_on_in(&mut self, path: PathBuf, file: impl Into<File>) {
        let left = std::mem::replace(&mut self.file, file.into());
        self._first.get_or_insert(left);
        (self.path, self.number) = (path, self.number + 1);
    }
}

impl Pending {
    fn usable(&self) -> Result<(), LedgerError> {
        match &self.failed {
            Some(why) => Err(LedgerError::Failed(why.clone())),
            None => Ok(()),
        }
    }
}

/// Whether a file may be there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Wanted,
    Refused,
}

fn open_file(path: &Path, existing: Existing) -> Result<std::fs::File, LedgerError> {
    let failed = |source| LedgerError::Io { path: path.to_owned(), source };
    let mut options = std::fs::File::options();
    options.read(true).append(true).create(true).create_new(existing == Existing::Refused).mode(0o600);
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_NONBLOCK).open(path).map_err(failed)?;
    if let Some(fault) = Fault::of(&file.metadata().map_err(failed)?) {
        return Err(LedgerError::Unsafe { path: path.to_owned(), fault });
    }
    Ok(file)
}

fn locked(file: std::fs::File, path: &Path) -> Result<std::fs::File, LedgerError> {
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LedgerError::Busy(path.to_owned())),
        Err(errno) => Err(LedgerError::Io { path: path.to_owned(), source: errno.into() }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bottle_evidence::Digest;
    use bottle_evidence::audit::{DnsDenied, RunStart, Workload};
    use bottle_evidence::predicate::Mode;
    use bottle_evidence::verify::{LogReport, examine_segments};

    use super::*;

    fn key() -> Arc<SigningKey> {
        Arc::new(SigningKey::from_seed([7; 32]))
    }

    fn denied() -> Entry {
        let text = bottle_evidence::Text::new;
        Entry::DnsDenied(DnsDenied { name: text("a.example"), qtype: text("A"), reason: text("no-rule"), count: 1 })
    }

    #[test]
    fn two_runs_never_write_one_log() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let _first = Ledger::open(&path, key()).unwrap();
        assert!(matches!(Ledger::open(&path, key()), Err(LedgerError::Busy(_))));
    }

    #[test]
    fn a_log_that_others_can_change_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let error = Ledger::open(&path, key()).err().unwrap();
        assert!(error.to_string().ends_with("audit.jsonl is mode 0666, and not closed to others"), "{error}");
        assert_eq!(error.hint(), Some(format!("chmod 600 {}", path.display())));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::hard_link(&path, directory.path().join("other")).unwrap();
        let error = Ledger::open(&path, key()).err().unwrap();
        assert!(error.to_string().ends_with("audit.jsonl has 2 names, and not one"), "{error}");
    }

    #[test]
    fn something_else_than_a_log_is_never_appended_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        std::fs::write(&path, "precious\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert!(matches!(Ledger::open(&path, key()), Err(LedgerError::Foreign { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious\n");
        for text in ["a line without an end", r#"{"payload":"e30","payloadType":"x"}"#, "{\"kind"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Ledger::open(&path, key()), Err(LedgerError::Foreign { .. })), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    fn start(run: &str) -> Entry {
        Entry::RunStart(RunStart {
            run: run.into(),
            attestation: Digest::ZERO,
            workload: Workload { pid: 1, start: 1 },
            command: vec!["true".into()],
            mode: Mode::Enforce,
            policy: Digest::ZERO,
        })
    }

    /// A run of so many batches, each more than a file is to have.
    fn run(path: &Path, id: &str, batches: usize) {
        let ledger = Ledger::open(path, key()).unwrap().with_files_of(1);
        ledger.append(&start(id)).unwrap();
        for _ in 0..batches {
            ledger.append(&denied()).unwrap();
            ledger.commit().unwrap();
        }
        ledger.end(Ending { exit: 0, reason: None, millis: 1, refused: BTreeMap::new() }).unwrap();
        ledger.commit().unwrap();
    }

    fn verified(path: &Path) -> LogReport {
        let files = segments::of(path).unwrap();
        let report = examine_segments(segments::readers(&files), &[key().public().clone()], None).unwrap();
        report.whole().map(|()| report).unwrap()
    }

    #[test]
    fn a_log_goes_on_in_another_file_when_one_is_full_and_another_run_in_the_last() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        run(&path, "one", 3);
        assert_eq!((verified(&path).segments, verified(&path).runs.len()), (4, 1));
        run(&path, "two", 1);
        assert_eq!((verified(&path).segments, verified(&path).runs.len()), (5, 2));
        for file in segments::of(&path).unwrap() {
            assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(file).unwrap()) & 0o7777, 0o600);
        }
    }

    #[test]
    fn a_log_of_several_files_has_one_writer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let ledger = Ledger::open(&path, key()).unwrap().with_files_of(1);
        ledger.append(&start("one")).unwrap();
        ledger.commit().unwrap();
        assert_eq!(segments::of(&path).unwrap().len(), 2);
        assert!(matches!(Ledger::open(&path, key()), Err(LedgerError::Busy(_))));
        drop(ledger);
        // The file that was begun and has no line is gone; the run has no end.
        drop(Ledger::open(&path, key()).unwrap());
        assert_eq!(segments::of(&path).unwrap().len(), 1);
    }

    #[test]
    fn where_no_other_file_can_be_begun_nothing_is_taken_any_more_and_nothing_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let ledger = Ledger::open(&path, key()).unwrap().with_files_of(1);
        std::fs::write(directory.path().join("audit.jsonl.2"), "precious").unwrap();
        ledger.append(&start("one")).unwrap();
        assert!(matches!(ledger.commit(), Err(LedgerError::Io { .. })));
        assert!(matches!(ledger.append(&denied()), Err(LedgerError::Failed(_))));
        assert_eq!(std::fs::read_to_string(directory.path().join("audit.jsonl.2")).unwrap(), "precious");
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.lines().count() == 2 && written.ends_with('\n'), "{written}");
    }

    #[test]
    fn a_further_file_that_others_can_change_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        run(&path, "one", 1);
        let second = segments::path(&path, 2);
        std::fs::set_permissions(&second, std::os::unix::fs::PermissionsExt::from_mode(0o620)).unwrap();
        let error = Ledger::open(&path, key()).err().unwrap();
        assert!(error.to_string().ends_with("audit.jsonl.2 is mode 0620, and not closed to others"), "{error}");
    }

    #[test]
    fn after_a_failed_write_nothing_is_taken_any_more() {
        // Writing to /dev/full fails as a full disk does.
        let ledger = Ledger {
            path: "/dev/full".into(),
            key: key(),
            pending: Mutex::new(Pending { chain: Chain::new(), lines: b"x\n".to_vec(), failed: None }),
            secrets: Arc::default(),
            most: segments::USUAL,
            writer: Mutex::new(Writer {
                file: std::fs::File::options().write(true).open("/dev/full").unwrap().into(),
                path: "/dev/full".into(),
                number: 1,
                _first: None,
            }),
        };
        assert!(matches!(ledger.commit(), Err(LedgerError::Io { .. })));
        assert!(matches!(ledger.append(&denied()), Err(LedgerError::Failed(_))));
        assert!(matches!(ledger.commit(), Err(LedgerError::Failed(_))));
    }
}
