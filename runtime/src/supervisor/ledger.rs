//! How do entries get onto the disk? Appended to one chain, sealed in batches, written and synchronised before anyone goes on.
//!
//! A file that has reached its size is left at a seal, and the log goes on in another. One writer per log: the lock on its
//! first file is held as long as it is open. After the first failure, that to begin another file too, nothing is ever appended
//! again, so whoever asks is denied.

use std::io::{self, Seek, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bottle_evidence::Time;
use bottle_evidence::audit::{Chain, Ending, Entry, RunEnd};
use bottle_evidence::key::{PublicKey, SigningKey};

pub use super::ledger_error::{Fault, LedgerError};
#[cfg(not(test))]
use super::log_files::Files;
use super::log_writer::Writer;
#[cfg(test)]
use super::recorded::Files;
use crate::clock;
use crate::report::chain;
use crate::secrets::Secrets;
use crate::segments;
use crate::supervisor::redacted;

/// The open log of one run.
pub struct Ledger {
    files: Files,
    key: Arc<SigningKey>,
    pending: Mutex<Pending>,
    /// What is not written as it is.
    secrets: Arc<Secrets>,
    /// From which size on another file is begun.
    most: u64,
    /// Held across write and synchronise, so that batches reach the disk in the chain's order.
    writer: Mutex<Writer>,
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
        Ledger::take_up(Files::of(path), key, earlier)
    }

    /// As [`Ledger::open_after`].
    pub(super) fn take_up(files: Files, key: Arc<SigningKey>, earlier: &[PublicKey]) -> Result<Ledger, LedgerError> {
        let (writer, recovered) = Writer::open(&files, &[std::slice::from_ref(key.public()), earlier].concat())?;
        let pending = Pending { chain: recovered.chain, lines: Vec::new(), failed: None };
        let (pending, writer) = (Mutex::new(pending), Mutex::new(writer));
        let (secrets, most) = (Arc::default(), segments::USUAL);
        let ledger = Ledger { files, key, pending, secrets, most, writer };
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
        self.append_at(clock::now(), entry)
    }

    /// The same for one that names an attestation, at a moment when that is valid: a clock that was stepped since it was signed must
    /// not keep a verifier from seeing that the two belong together.
    pub fn append_while(&self, valid: &Range<Time>, entry: &Entry) -> Result<(), LedgerError> {
        let last = Time::from_micros(valid.end.micros().saturating_sub(1));
        self.append_at(clock::now().min(last).max(valid.start), entry)
    }

    fn append_at(&self, time: Time, entry: &Entry) -> Result<(), LedgerError> {
        let mut pending = self.pending();
        pending.usable()?;
        let line = pending.chain.append(time, &redacted::entry(&self.secrets, entry))?;
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

    /// Seals what was appended and returns when it is on the disk, where whoever reads the log finds it.
    pub fn commit(&self) -> Result<(), LedgerError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let number = writer.number;
        let before = writer.file.stream_position().map_err(|source| self.fail(number, source))?;
        let (lines, is_full) = self.sealed(before)?;
        if lines.is_empty() {
            return Ok(());
        }
        let written = writer.file.write_all(&lines).and_then(|()| writer.file.sync_data());
        written.map_err(|source| {
            // What could be written of the batch is worth nothing; if it can't be cut now, the next opening cuts it.
            let _ = writer.file.set_len(before);
            self.fail(number, source)
        })?;
        let checked = self.check(&writer, before + lines.len() as u64);
        checked.inspect_err(|error| self.pending().failed = Some(chain(error).join(": ")))?;
        if is_full { self.begin_next(&mut writer) } else { Ok(()) }
    }

    /// Whether what was written is in the log: the files have their names, and the one that is written so many bytes.
    fn check(&self, writer: &Writer, length: u64) -> Result<(), LedgerError> {
        let Writer { file, number, first } = writer;
        first.as_ref().map_or(Ok(()), |first| self.files.check_name(1, first))?;
        self.files.check_name(*number, file)?;
        self.files.check_length(*number, file, length)
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
        let number = writer.number + 1;
        let next = self.files.new_one(number).and_then(|file| self.files.synchronise().map(|()| file));
        let file = next.inspect_err(|error| self.pending().failed = Some(chain(error).join(": ")))?;
        writer.go_on_in(number, file);
        Ok(())
    }

    fn fail(&self, number: u64, source: io::Error) -> LedgerError {
        self.pending().failed = Some(source.to_string());
        self.files.failed(number)(source)
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

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
