//! Does what was promised outlive a loss of power? A run's calls to the disk are recorded, cut at every byte, and taken up again.
//!
//! What was synchronised stays. Of what was appended since then any beginning may be there, and a file whose length came
//! first ends in zeros. A promise is what somebody goes on by: that a run was opened (its workload starts), that a decision
//! is recorded (it is dialled), that a run was closed.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use bottle_evidence::audit::{Choice, DnsDenied, Ending, Entry, Line, LogProblem};
use bottle_evidence::key::SigningKey;
use bottle_evidence::sha256;
use bottle_evidence::verify::{LogReport, examine_log, examine_segments};
use bottle_policy::{Name, Reason, Request, Rules, Seen, Target};
use bottle_proxy::{Attempt, Outcome, Refusal, Way};
use rustix::fs::MemfdFlags;

use super::ledger::Ledger;
use super::log_files::Files;
use super::recorded::{Call, File};
use super::recorder::Recorder;
use super::recording::answer;
use super::run_start::run_start;
use super::who::Who;
use crate::channel::Channel;
use crate::dialler::message::{Decision, DecisionRecord, FromDialler, ToDialler};
use crate::gate::message::FromGate;
use crate::segments;

/// Every so many bytes zeros are tried as well.
const ZEROS: usize = 8;

/// One thing that happened, as the disk and those who wait for it see it.
#[derive(Clone, Debug)]
enum Happened {
    Appended(Vec<u8>),
    Cut(u64),
    Synchronised,
    Promised(Promise),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    Opened,
    Recorded(u64),
    Closed,
}

#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<Happened>>>);

impl Tape {
    fn note(&self, happened: Happened) {
        self.0.lock().unwrap().push(happened);
    }

    fn promise(&self, promise: Promise) {
        self.note(Happened::Promised(promise));
    }

    /// A file in memory with these bytes. Before each of its calls the dialler hears what it was told by then, so that
    /// an answer that does not wait for the disk stands before what it should have waited for.
    fn file(&self, bytes: &[u8], dialler: Option<Arc<Channel>>) -> (File, fs::File) {
        let (file, same) = in_memory(bytes);
        let tape = self.clone();
        let listener = move |call: Call<'_>| {
            dialler.iter().for_each(|dialler| tape.hear(dialler));
            tape.note(match call {
                Call::Append(bytes) => Happened::Appended(bytes.to_vec()),
                Call::Cut(length) => Happened::Cut(length),
                Call::Sync => Happened::Synchronised,
            });
        };
        (File::heard(file, Box::new(listener)), same)
    }

    fn hear(&self, dialler: &Channel) {
        while let Ok(Some((ToDialler::Recorded(attempts), _))) = dialler.try_recv::<ToDialler>() {
            attempts.into_iter().for_each(|attempt| self.promise(Promise::Recorded(attempt)));
        }
    }

    fn take(self) -> Vec<Happened> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn in_memory(bytes: &[u8]) -> (fs::File, fs::File) {
    let mut file = fs::File::from(rustix::fs::memfd_create("log", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let same = file.try_clone().unwrap();
    (file, same)
}

fn bytes_of(file: &mut fs::File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed([7; 32]))
}

/// Of one file.
fn take_up(file: File) -> Ledger {
    Ledger::take_up(Files::of(Path::new("log")), vec![file], key(), &[])
        .unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

/// Allowed are the odd ones.
fn decided(id: u64) -> FromDialler {
    let target = Target::Lease(Name::parse("api.example.com").unwrap());
    let request = Request { target, port: 443, seen: Seen::Nothing };
    let (source, original) = ("28.0.0.2:4000".parse().unwrap(), "28.1.2.3:443".parse().unwrap());
    let attempt = Attempt { id, source, original, way: Way::Transparent, request, denied: None };
    let decision = if id % 2 == 1 { Decision::Allow("domains[0]".into()) } else { Decision::Deny(Reason::NoRule) };
    FromDialler::Decided(DecisionRecord { attempt, decision })
}

fn ended(id: u64) -> FromDialler {
    FromDialler::Ended(Outcome::refused(id, &Refusal::unreachable("gone"), 7))
}

/// What the dialler says, in the batches in which the supervisor takes it.
fn batches() -> Vec<Vec<FromDialler>> {
    vec![vec![decided(1), decided(2), decided(3)], vec![ended(1)], vec![ended(3), decided(5)], vec![FromDialler::Beat]]
}

/// One run from its start to its end.
fn run() -> Vec<Happened> {
    let tape = Tape::default();
    let (supervisor, dialler) = Channel::pair().unwrap();
    let dialler = Arc::new(dialler);
    let recorder = {
        let ledger = take_up(tape.file(&[], Some(Arc::clone(&dialler))).0);
        Recorder::new(ledger, Arc::new(Rules::deny_all()), Box::new(|_| ()))
    };
    recorder.record(&run_start());
    recorder.commit().unwrap();
    tape.promise(Promise::Opened);
    recorder.begin();
    let here = fs::File::open("/proc/self/ns/net").unwrap();
    let mut who = Who::new(bottle_netns::Connections::open().unwrap(), here).unwrap();
    for batch in batches() {
        answer(&supervisor, &recorder, &mut who, batch).unwrap();
        tape.hear(&dialler);
        let (name, kind) = ("evil.example".into(), "A".into());
        recorder.refused(FromGate::NameDenied { name, kind, reason: Reason::NoRule, count: 1 });
    }
    recorder.cut();
    let ending = Ending { exit: 0, reason: None, millis: 1, refused: [].into() };
    recorder.ledger().end(ending).unwrap();
    recorder.commit().unwrap();
    tape.promise(Promise::Closed);
    drop(recorder);
    tape.take()
}

/// The disk at some moment of the recording.
#[derive(Clone, Default)]
struct Disk {
    /// What no loss of power takes.
    kept: Vec<u8>,
    /// What was appended since.
    loose: Vec<u8>,
    /// What was cut off since, and may come back.
    cut: Vec<u8>,
    promises: Vec<Promise>,
}

impl Disk {
    fn after(mut self, happened: &Happened) -> Disk {
        match happened {
            Happened::Appended(bytes) => {
                assert!(self.cut.is_empty(), "it writes where what was cut may come back");
                self.loose.extend(bytes);
            }
            Happened::Cut(length) => {
                assert!(self.loose.is_empty(), "it cuts what is not on the disk");
                self.cut = self.kept.split_off(usize::try_from(*length).unwrap());
            }
            Happened::Synchronised => {
                self.kept.append(&mut self.loose);
                self.cut.clear();
            }
            Happened::Promised(promise) => self.promises.push(*promise),
        }
        self
    }

    /// What may be found after a loss of power now: cut at every byte, and with zeros up to its length for some.
    fn found(&self) -> Vec<Vec<u8>> {
        let torn = (0..=self.loose.len()).map(|there| [&self.kept, &self.loose[..there]].concat());
        let zeros = (0..self.loose.len()).step_by(ZEROS).map(|there| {
            let mut found = [&self.kept, &self.loose[..there]].concat();
            found.resize(self.kept.len() + self.loose.len(), 0);
            found
        });
        let back = (!self.cut.is_empty()).then(|| [&self.kept[..], &self.cut].concat());
        torn.chain(zeros).chain(back).collect()
    }
}

/// What was found, taken up again.
struct Recovered {
    log: Vec<u8>,
    report: Option<LogReport>,
    calls: Vec<Happened>,
}

fn recover(found: &[u8]) -> Recovered {
    let tape = Tape::default();
    let (file, mut same) = tape.file(found, None);
    drop(take_up(file));
    let log = bytes_of(&mut same);
    // Nothing was ever on the disk: then nothing is to be said.
    let report = (!log.is_empty()).then(|| examined(&log));
    Recovered { log, report, calls: tape.take() }
}

fn examined(log: &[u8]) -> LogReport {
    examine_log(log, std::slice::from_ref(key().public()), None).unwrap()
}

/// Asserts that all that was promised is there, and that what is missing is said.
fn assert_kept(disk: &Disk, found: &[u8], recovered: &Recovered) {
    let (whole, torn) = found.split_at(whole_lines(found));
    assert!(recovered.log.starts_with(whole) && whole.len() >= whole_lines(&disk.kept), "a whole line is gone");
    let promised = |promise| disk.promises.contains(&promise);
    let Some(report) = &recovered.report else {
        return assert!(found.is_empty() && !promised(Promise::Opened), "something was, and nothing says so");
    };
    let cut = report.tears.last().map(|tear| (tear.torn.bytes, tear.torn.sha256));
    assert!(torn.is_empty() || cut == Some((torn.len() as u64, sha256(torn))), "what was cut is recorded");
    assert_eq!(report.unsealed, None);
    assert!(!report.runs.is_empty() || !promised(Promise::Opened), "a run that was opened is gone");
    if let Err(error) = report.whole() {
        assert!(matches!(error.what, LogProblem::Incomplete(_)), "{error}");
        assert!(!promised(Promise::Closed), "a run that was closed is not");
        assert!(!report.tears.is_empty(), "the writer's end is recorded");
    }
    assert_recorded(disk, &recovered.log);
}

fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)
}

fn assert_recorded(disk: &Disk, log: &[u8]) {
    let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let allowed: Vec<u64> = lines
        .filter_map(|line| match Line::from_bytes(line).unwrap().entry {
            Entry::Decision(decision) if decision.decision == Choice::Allow => Some(decision.attempt),
            _ => None,
        })
        .collect();
    for promise in &disk.promises {
        if let Promise::Recorded(attempt) = promise {
            assert!(attempt % 2 == 0 || allowed.contains(attempt), "{attempt} was dialled and is in no log");
        }
    }
}

/// Cuts a recording at every byte, and takes the log up again each time.
fn cut_at_every_byte(mut disk: Disk, recording: &[Happened]) -> Disk {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for happened in recording {
        disk = disk.after(happened);
        let (found, disk) = (disk.found(), &disk);
        std::thread::scope(|scope| {
            for part in found.chunks(found.len().div_ceil(threads)) {
                scope.spawn(move || part.iter().for_each(|found| assert_kept(disk, found, &recover(found))));
            }
        });
    }
    disk
}

#[test]
fn a_loss_of_power_at_any_byte_of_a_run_takes_no_promise_back() {
    let disk = cut_at_every_byte(Disk::default(), &run());
    let promised = |promise| disk.promises.contains(&promise);
    assert!([Promise::Opened, Promise::Closed].into_iter().all(promised), "{:?}", disk.promises);
    assert!([1, 2, 3, 5].into_iter().map(Promise::Recorded).all(promised), "{:?}", disk.promises);
    assert!(disk.loose.is_empty() && examined(&disk.kept).whole().is_ok());
}

/// The power may go again while the log is taken up.
#[test]
fn a_second_loss_of_power_while_a_log_is_taken_up_takes_no_promise_back() {
    let recording = run();
    let mut before = Disk::default();
    for happened in &recording {
        let disk = before.clone().after(happened);
        // In the middle of what was appended last, if anything was.
        let found = [&disk.kept, &disk.loose[..disk.loose.len() / 2]].concat();
        if !disk.loose.is_empty() {
            let promises = disk.promises.clone();
            let again = Disk { kept: found.clone(), promises, ..Disk::default() };
            cut_at_every_byte(again, &recover(&found).calls);
        }
        before = disk;
    }
}

/// The first batch of a run in one file, and those that come after it in another.
fn in_two_files(path: &Path) -> [Vec<u8>; 2] {
    let ledger = Ledger::open(path, key()).unwrap().with_files_of(1);
    ledger.append(&run_start()).unwrap();
    ledger.commit().unwrap();
    let ledger = ledger.with_files_of(u64::MAX);
    let (name, qtype, reason) = ("evil.example".into(), "A".into(), "no-rule".into());
    ledger.append(&Entry::DnsDenied(DnsDenied { name, qtype, reason, count: 1 })).unwrap();
    ledger.commit().unwrap();
    ledger.end(Ending { exit: 0, reason: None, millis: 1, refused: [].into() }).unwrap();
    ledger.commit().unwrap();
    [1, 2].map(|number| fs::read(segments::path(path, number)).unwrap())
}

/// The first file is on the disk before the second is there.
#[test]
fn a_loss_of_power_at_any_byte_of_a_second_file_takes_no_line_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let [first, second] = in_two_files(&path);
    let disk = Disk { loose: second, ..Disk::default() };
    for found in disk.found() {
        // In memory but for the name, which goes where no line is left.
        fs::write(segments::path(&path, 2), "").unwrap();
        let ((one, mut one_too), (two, mut two_too)) = (in_memory(&first), in_memory(&found));
        drop(Ledger::take_up(Files::of(&path), vec![one, two], key(), &[]).unwrap());
        let (whole, torn) = found.split_at(whole_lines(&found));
        let log = match segments::path(&path, 2).exists() {
            true => vec![bytes_of(&mut one_too), bytes_of(&mut two_too)],
            false => vec![bytes_of(&mut one_too)],
        };
        assert!(log[0].starts_with(&first) && log[1..].iter().all(|second| second.starts_with(whole)));
        assert_eq!(log.len(), if whole.is_empty() { 1 } else { 2 });
        let files = log.iter().map(|file| Ok(&file[..]));
        let report = examine_segments(files, std::slice::from_ref(key().public()), None).unwrap();
        let cut = report.tears.last().map(|tear| (tear.torn.bytes, tear.torn.sha256));
        let is_whole = found == disk.loose;
        assert_eq!(cut, (!is_whole).then(|| (torn.len() as u64, sha256(torn))));
        assert_eq!((report.unsealed, report.whole().is_ok()), (None, is_whole));
    }
}
