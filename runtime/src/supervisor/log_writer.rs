//! In which of a log's files is it gone on with, and from where? In the last one with a whole line, behind its last whole line.

#[cfg(not(test))]
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};

use bottle_evidence::audit::{Recovered, recover_segments};
use bottle_evidence::key::PublicKey;

use super::ledger_error::LedgerError;
#[cfg(not(test))]
use super::log_files::Files;
#[cfg(test)]
use super::recorded::{File, Files};

/// The file that is written.
pub(super) struct Writer {
    pub(super) file: File,
    /// Which of the log's files it is.
    pub(super) number: u64,
    /// The first one, which has the lock.
    pub(super) first: Option<File>,
}

/// The files of a log while they are read: however many there are, few are open.
struct Reading<'f> {
    files: &'f Files,
    first: File,
    /// The last two further ones, since the log goes on in one of them: that very file which was read, whatever has its name by then.
    last: Vec<(u64, File)>,
    /// Why one could not be opened.
    failed: Option<LedgerError>,
}

impl Writer {
    /// Opens the log, and cuts what was not written in full. The cut is on the disk before anything is written: else both could come
    /// back, one within the other.
    pub(super) fn open(files: &Files, keys: &[PublicKey]) -> Result<(Writer, Recovered), LedgerError> {
        let first = files.first()?;
        let begun = files.count()?;
        files.synchronise()?;
        let mut reading = Reading { files, first, last: Vec::new(), failed: None };
        let recovered = recover_segments((1..=begun).map(|number| reading.begin(number)), keys);
        let recovered = recovered.map_err(|source| {
            let foreign = LedgerError::Foreign { path: files.path(source.segment), source };
            reading.failed.take().unwrap_or(foreign)
        })?;
        let kept = recovered.segments as u64;
        for number in kept + 1..=begun {
            files.remove(number)?;
            files.synchronise()?;
        }
        let mut writer = reading.goes_on_in(kept)?;
        let is_torn = kept == begun && recovered.torn > 0;
        let cut = if is_torn { writer.cut(recovered.keep) } else { Ok(()) };
        cut.and_then(|()| writer.file.seek(SeekFrom::End(0))).map_err(files.failed(kept))?;
        Ok((writer, recovered))
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_all()
    }

    /// What was written before stays as it is.
    pub(super) fn go_on_in(&mut self, number: u64, file: File) {
        let left = std::mem::replace(&mut self.file, file);
        self.first.get_or_insert(left);
        self.number = number;
    }
}

impl Reading<'_> {
    fn begin(&mut self, number: u64) -> io::Result<BufReader<File>> {
        if number == 1 {
            return self.first.try_clone().map(BufReader::new);
        }
        let file = self.files.further(number).map_err(|error| {
            self.failed = Some(error);
            io::Error::from(io::ErrorKind::InvalidInput)
        })?;
        let reader = file.try_clone().map(BufReader::new);
        self.last.push((number, file));
        if self.last.len() > 2 {
            self.last.remove(0);
        }
        reader
    }

    fn goes_on_in(self, kept: u64) -> Result<Writer, LedgerError> {
        let Reading { files, first, last, .. } = self;
        if kept <= 1 {
            return Ok(Writer { file: first, number: 1, first: None });
        }
        let found = last.into_iter().find(|(number, _)| *number == kept);
        let (number, file) = found.ok_or_else(|| files.failed(kept)(io::ErrorKind::InvalidData.into()))?;
        Ok(Writer { file, number, first: Some(first) })
    }
}
