//! How do entries get onto the disk? Appended to one chain, sealed in batches, written and synchronised before anyone goes on.
//!
//! One writer per file: the lock is held as long as the file is open. After the first failure nothing is ever
//! appended again, so whoever asks is denied.

#[cfg(not(test))]
use std::fs::File;
use std::fs::Metadata;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bottle_evidence::audit::{AppendError, Chain, Ending, Entry, LogError, RunEnd, recover};
use bottle_evidence::key::{PublicKey, SigningKey};
use rustix::fs::FlockOperation;

#[cfg(test)]
use super::recorded::File;
use crate::clock;
use crate::durable::sync_directory_of;
use crate::secrets::Secrets;
use crate::supervisor::redacted;

/// Why a log can't be opened or appended to.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A system call failed.
    #[error("cannot write the audit log {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another bottle writes it.
    #[error("another run writes the audit log {}", .0.display())]
    Busy(PathBuf),
    /// It is not a file of its own that only its owner can change.
    #[error("the audit log {} {fault}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// In what it fails.
        fault: Fault,
    },
    /// It holds something that is not this key's log.
    #[error("the audit log {} can't be continued", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: LogError,
    },
    /// An entry does not fit.
    #[error("an entry can't be appended to the audit log")]
    Append(#[from] AppendError),
    /// An earlier failure ended it.
    #[error("the audit log failed earlier: {0}")]
    Failed(String),
}

/// Why somebody else could change a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A directory, a FIFO, a device.
    #[error("is no regular file")]
    Kind,
    /// Somebody else's.
    #[error("belongs to uid {0}, and not to the caller")]
    Owner(u32),
    /// Open to others.
    #[error("is mode {0:04o}, and not closed to others")]
    Mode(u32),
    /// It has further names, which may lie where others write.
    #[error("has {0} names, and not one")]
    Names(u64),
}

impl Fault {
    fn of(file: &Metadata) -> Option<Fault> {
        match (file.uid(), file.mode() & 0o7777, file.nlink()) {
            _ if !file.is_file() => Some(Fault::Kind),
            (uid, ..) if uid != rustix::process::geteuid().as_raw() => Some(Fault::Owner(uid)),
            (_, mode, _) if mode & 0o077 != 0 => Some(Fault::Mode(mode)),
            (.., names) if names != 1 => Some(Fault::Names(names)),
            _ => None,
        }
    }
}

impl LedgerError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            LedgerError::Unsafe { path, fault: Fault::Mode(_) } => Some(format!("chmod 600 {}", path.display())),
            LedgerError::Busy(_) => Some("give each run an --audit file of its own".into()),
            _ => None,
        }
    }
}

/// The open log of one run.
pub struct Ledger {
    path: PathBuf,
    key: Arc<SigningKey>,
    pending: Mutex<Pending>,
    /// What is not written as it is.
    secrets: Arc<Secrets>,
    /// Held across write and synchronise, so that batches reach the disk in the chain's order.
    writer: Mutex<File>,
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

    /// The same of a file whose earlier runs may have been sealed with one of these keys, which the writer had before.
    pub fn open_after(path: &Path, key: Arc<SigningKey>, earlier: &[PublicKey]) -> Result<Ledger, LedgerError> {
        let file = open_file(path)?;
        sync_directory_of(path).map_err(|source| LedgerError::Io { path: path.to_owned(), source })?;
        Ledger::take_up(path, file, key, earlier)
    }

    /// As [`Ledger::open_after`], of a file that is open and has its name on the disk.
    pub(super) fn take_up(
        path: &Path,
        file: impl Into<File>,
        key: Arc<SigningKey>,
        earlier: &[PublicKey],
    ) -> Result<Ledger, LedgerError> {
        let failed = |source| LedgerError::Io { path: path.to_owned(), source };
        let (mut file, mut bytes) = (file.into(), Vec::new());
        file.read_to_end(&mut bytes).map_err(failed)?;
        let recovered = recover(&bytes, &[std::slice::from_ref(key.public()), earlier].concat())
            .map_err(|source| LedgerError::Foreign { path: path.to_owned(), source })?;
        if recovered.torn > 0 {
            // The cut is on the disk before anything is written there: else both could come back, one within the other.
            file.set_len(recovered.keep as u64).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let pending = Pending { chain: recovered.chain, lines: Vec::new(), failed: None };
        let (pending, writer) = (Mutex::new(pending), Mutex::new(file));
        let ledger = Ledger { path: path.to_owned(), key, pending, secrets: Arc::default(), writer };
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
        let mut file = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = self.sealed()?;
        if lines.is_empty() {
            return Ok(());
        }
        let before = file.stream_position().map_err(|source| self.fail(source))?;
        let written = file.write_all(&lines).and_then(|()| file.sync_data());
        written.map_err(|source| {
            // What could be written of the batch is worth nothing; if it can't be cut now, the next opening cuts it.
            let _ = file.set_len(before);
            self.fail(source)
        })
    }

    fn sealed(&self) -> Result<Vec<u8>, LedgerError> {
        let mut pending = self.pending();
        pending.usable()?;
        if pending.chain.unsealed() > 0 {
            let seal = pending.chain.seal(clock::now(), &self.key)?;
            pending.lines.extend(seal);
        }
        Ok(std::mem::take(&mut pending.lines))
    }

    fn fail(&self, source: io::Error) -> LedgerError {
        self.pending().failed = Some(source.to_string());
        LedgerError::Io { path: self.path.clone(), source }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
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

fn open_file(path: &Path) -> Result<std::fs::File, LedgerError> {
    let failed = |source| LedgerError::Io { path: path.to_owned(), source };
    let mut options = std::fs::File::options();
    options.read(true).append(true).create(true).mode(0o600);
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_NONBLOCK).open(path).map_err(failed)?;
    if let Some(fault) = Fault::of(&file.metadata().map_err(failed)?) {
        return Err(LedgerError::Unsafe { path: path.to_owned(), fault });
    }
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LedgerError::Busy(path.to_owned())),
        Err(errno) => Err(failed(errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use bottle_evidence::audit::DnsDenied;

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

    #[test]
    fn after_a_failed_write_nothing_is_taken_any_more() {
        // Writing to /dev/full fails as a full disk does.
        let ledger = Ledger {
            path: "/dev/full".into(),
            key: key(),
            pending: Mutex::new(Pending { chain: Chain::new(), lines: b"x\n".to_vec(), failed: None }),
            secrets: Arc::default(),
            writer: Mutex::new(std::fs::File::options().write(true).open("/dev/full").unwrap().into()),
        };
        assert!(matches!(ledger.commit(), Err(LedgerError::Io { .. })));
        assert!(matches!(ledger.append(&denied()), Err(LedgerError::Failed(_))));
        assert!(matches!(ledger.commit(), Err(LedgerError::Failed(_))));
    }
}
