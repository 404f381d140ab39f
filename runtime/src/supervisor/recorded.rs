//! What does the log ask of the disk, and in which order? A file that says each call before it makes it, for tests alone.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// One call, as it is about to be made.
#[derive(Debug)]
pub(super) enum Call<'b> {
    /// Bytes at the end.
    Append(&'b [u8]),
    /// Everything beyond so many bytes goes.
    Cut(u64),
    /// What was appended and cut is on the disk when this returns.
    Sync,
}

/// Who is told of the calls.
pub(super) type Listener = Box<dyn FnMut(Call<'_>) + Send>;

/// Stands where [`std::fs::File`] stands otherwise.
pub(super) struct File {
    inner: fs::File,
    listener: Listener,
}

impl From<fs::File> for File {
    fn from(inner: fs::File) -> File {
        File::heard(inner, Box::new(|_| ()))
    }
}

impl File {
    pub(super) fn heard(inner: fs::File, listener: Listener) -> File {
        File { inner, listener }
    }

    pub(super) fn set_len(&mut self, length: u64) -> io::Result<()> {
        (self.listener)(Call::Cut(length));
        self.inner.set_len(length)
    }

    pub(super) fn sync_data(&mut self) -> io::Result<()> {
        (self.listener)(Call::Sync);
        self.inner.sync_data()
    }

    pub(super) fn sync_all(&mut self) -> io::Result<()> {
        (self.listener)(Call::Sync);
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
        (self.listener)(Call::Append(bytes));
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
