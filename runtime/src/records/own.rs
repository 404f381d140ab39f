//! How does a supervisor keep the record of its own run? It holds the lock, and writes what happens.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Serialize;

use super::shelf::{END, RECORD, Shelf};
use super::{Afterwards, End, Record, Running};

/// The record of the run that this process supervises. Dropped before its end was told it is removed: then nothing ran.
#[derive(Debug)]
pub(crate) struct Own {
    shelf: Shelf,
    directory: PathBuf,
    record: Record,
    /// Held as long as this lives.
    _lock: File,
    kept: bool,
}

impl Own {
    pub(super) fn new(shelf: Shelf, directory: PathBuf, record: Record, lock: File) -> Own {
        Own { shelf, directory, record, _lock: lock, kept: false }
    }

    /// The directory of this record.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The first process was released.
    pub(crate) fn running(&mut self, running: Running) -> io::Result<()> {
        self.record.running = Some(running);
        write(&self.directory, RECORD, &self.record)
    }

    /// The run is over. What can't be written leaves a run that is lost, as if its supervisor had been killed.
    pub(crate) fn end(mut self, end: &End) -> io::Result<()> {
        self.kept = self.record.afterwards == Afterwards::Keep;
        if self.kept { write(&self.directory, END, end) } else { Ok(()) }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if !self.kept {
            // What is left of it is removed by whoever lists the runs next.
            let _ = self.shelf.discard(&self.record);
        }
    }
}

/// Writes a file whole or not at all. It need not survive the end of the machine, which ends the run too.
///
/// One that is there is exchanged for the new one and removed: upon a rename that replaces a file, ext4 has the new one on its way to
/// the disk at once, where nothing has to be.
pub(super) fn write(directory: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let bytes = bottle_evidence::canonical::to_bytes(value).map_err(io::Error::other)?;
    let (unfinished, path) = (directory.join(format!("{name}.new")), directory.join(name));
    std::fs::write(&unfinished, bytes)?;
    match renameat_with(CWD, &unfinished, CWD, &path, RenameFlags::EXCHANGE) {
        Ok(()) => std::fs::remove_file(unfinished),
        // It is the first, or the file system can't exchange.
        Err(_) => std::fs::rename(unfinished, path),
    }
}
