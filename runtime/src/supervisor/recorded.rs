//! What does the log ask of the disk, and in which order? Files and their directory that say each call before they make it, for tests alone.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ledger_error::LedgerError;
use super::log_files;

/// One call, as it is about to be made, to the file with this number.
#[derive(Debug)]
pub(super) enum Call<'b> {
    /// Bytes at the end.
    Append(u64, &'b [u8]),
    /// Everything beyond so many bytes goes.
    Cut(u64, u64),
    /// What was appended and cut is on the disk when this returns.
    Sync(u64),
    /// There is such a file, if there was none.
    Open(u64),
    /// There is none any more.
    Remove(u64),
    /// What files there are is on the disk when this returns.
    SyncNames,
}

/// Who is told of the calls.
pub(super) type Listener = Arc<dyn Fn(Call<'_>) + Send + Sync>;

/// Stands where [`fs::File`] stands otherwise.
pub(super) struct File {
    inner: fs::File,
    number: u64,
    listener: Listener,
    _open: Open,
}

/// Counts how many there are at once.
struct Open {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Open {
    fn another(&self) -> Open {
        // Without the one that counts for the log itself.
        self.most.fetch_max(self.now.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Open { now: Arc::clone(&self.now), most: Arc::clone(&self.most) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl File {
    pub(super) fn try_clone(&self) -> io::Result<File> {
        let (inner, listener, number) = (self.inner.try_clone()?, Arc::clone(&self.listener), self.number);
        Ok(File { inner, number, listener, _open: self._open.another() })
    }

    pub(super) fn set_len(&mut self, length: u64) -> io::Result<()> {
        (self.listener)(Call::Cut(self.number, length));
        self.inner.set_len(length)
    }

    pub(super) fn sync_data(&mut self) -> io::Result<()> {
        (self.listener)(Call::Sync(self.number));
        self.inner.sync_data()
    }

    pub(super) fn sync_all(&mut self) -> io::Result<()> {
        (self.listener)(Call::Sync(self.number));
        self.inner.sync_all()
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.listener)(Call::Append(self.number, bytes));
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Stands where [`log_files::Files`] stands otherwise.
pub(super) struct Files {
    inner: log_files::Files,
    listener: Listener,
    open: Open,
}

impl Files {
    pub(super) fn of(log: &Path) -> Files {
        Files::heard(log, Arc::new(|_| ()))
    }

    pub(super) fn heard(log: &Path, listener: Listener) -> Files {
        let open = Open { now: Arc::new(AtomicUsize::new(1)), most: Arc::default() };
        Files { inner: log_files::Files::of(log), listener, open }
    }

    /// How many files have been open at once.
    pub(super) fn most_open(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.open.most)
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.inner.path(number)
    }

    pub(super) fn count(&self) -> Result<u64, LedgerError> {
        self.inner.count()
    }

    pub(super) fn first(&self) -> Result<File, LedgerError> {
        self.told(1, self.inner.first())
    }

    pub(super) fn further(&self, number: u64) -> Result<File, LedgerError> {
        self.told(number, self.inner.further(number))
    }

    pub(super) fn new_one(&self, number: u64) -> Result<File, LedgerError> {
        self.told(number, self.inner.new_one(number))
    }

    pub(super) fn remove(&self, number: u64) -> Result<(), LedgerError> {
        (self.listener)(Call::Remove(number));
        self.inner.remove(number)
    }

    pub(super) fn synchronise(&self) -> Result<(), LedgerError> {
        (self.listener)(Call::SyncNames);
        self.inner.synchronise()
    }

    pub(super) fn check_name(&self, number: u64, file: &File) -> Result<(), LedgerError> {
        self.inner.check_name(number, &file.inner)
    }

    pub(super) fn check_length(&self, number: u64, file: &File, length: u64) -> Result<(), LedgerError> {
        self.inner.check_length(number, &file.inner, length)
    }

    pub(super) fn failed(&self, number: u64) -> impl FnOnce(io::Error) -> LedgerError + use<> {
        self.inner.failed(number)
    }

    /// A file that says what is done to it.
    pub(super) fn told<E>(&self, number: u64, file: Result<fs::File, E>) -> Result<File, E> {
        (self.listener)(Call::Open(number));
        file.map(|inner| File { inner, number, listener: Arc::clone(&self.listener), _open: self.open.another() })
    }
}
