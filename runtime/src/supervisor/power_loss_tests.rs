//! Does what was promised outlive a loss of power? A run's calls to the disk are recorded, cut at every byte, and taken up again.
//!
//! What was synchronised stays. Of what was appended since then any beginning may be there, and a file whose length came
//! first ends in zeros. A promise is what somebody goes on by: that a run was opened (its workload starts), that a decision
//! is recorded (it is dialled), that a run was closed.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bottle_evidence::audit::{Choice, Ending, Entry, Line, LogProblem};
use bottle_evidence::key::SigningKey;
use bottle_evidence::sha256;
use bottle_evidence::verify::{LogReport, examine_segments};
use bottle_policy::{Name, Reason, Request, Rules, Seen, Target};
use bottle_proxy::{Attempt, Outcome, Refusal, Way};
use tempfile::TempDir;

use super::ledger::Ledger;
use super::power_loss_disk::{Disk, Found, Happened, Promise};
use super::recorded::{Call, Files};
use super::recorder::Recorder;
use super::recording::answer;
use super::run_start::run_start;
use super::who::Who;
use crate::channel::Channel;
use crate::dialler::message::{Decision, DecisionRecord, FromDialler, ToDialler};
use crate::gate::message::FromGate;
use crate::segments;

#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<Happened>>>);

impl Tape {
    fn note(&self, happened: Happened) {
        self.0.lock().unwrap().push(happened);
    }

    fn promise(&self, promise: Promise) {
        self.note(Happened::Promised(promise));
    }

    /// The files of this log. Before each call to the disk the dialler hears what it was told by then, so that an answer that does
    /// not wait for the disk stands before what it should have waited for.
    fn files(&self, log: &Path, dialler: Option<Arc<Channel>>) -> Files {
        let tape = self.clone();
        let listener = move |call: Call<'_>| {
            dialler.iter().for_each(|dialler| tape.hear(dialler));
            tape.note(match call {
                Call::Append(number, bytes) => Happened::Appended(number, bytes.to_vec()),
                Call::Cut(number, length) => Happened::Cut(number, length),
                Call::Sync(number) => Happened::Synchronised(number),
                Call::Open(number) => Happened::Opened(number),
                Call::Remove(number) => Happened::Removed(number),
                Call::SyncNames => Happened::NamesSynchronised,
            });
        };
        Files::heard(log, Arc::new(listener))
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

/// A log of no files yet, in memory where that is possible: what a real disk does is not asked here.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let log = directory.path().join("log");
    (directory, log)
}

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed([7; 32]))
}

fn take_up(files: Files) -> Ledger {
    Ledger::take_up(files, key(), &[]).unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

/// Allowed are the odd ones.
pub(super) fn decided(id: u64) -> FromDialler {
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

/// One run from its start to its end, in files of so many bytes.
fn run(most: u64) -> Vec<Happened> {
    let (tape, (_directory, log)) = (Tape::default(), place());
    let (supervisor, dialler) = Channel::pair().unwrap();
    let dialler = Arc::new(dialler);
    let recorder = {
        let ledger = take_up(tape.files(&log, Some(Arc::clone(&dialler)))).with_files_of(most);
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

/// What was found, taken up again.
struct Recovered {
    log: Found,
    report: Option<LogReport>,
    calls: Vec<Happened>,
}

fn recover(found: &Found) -> Recovered {
    let (tape, (_directory, log)) = (Tape::default(), place());
    for (number, bytes) in found {
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(segments::path(&log, *number));
        file.as_mut().unwrap().write_all(bytes).unwrap();
    }
    drop(take_up(tape.files(&log, None)));
    let files = segments::of(&log).unwrap();
    let log: Found = (1..).zip(files.iter().map(|path| fs::read(path).unwrap())).collect();
    // Nothing was ever on the disk: then nothing is to be said.
    let report = (!all(&log).is_empty()).then(|| examined(&log));
    Recovered { log, report, calls: tape.take() }
}

fn examined(log: &Found) -> LogReport {
    let files = log.values().map(|bytes| Ok(&bytes[..]));
    examine_segments(files, std::slice::from_ref(key().public()), None).unwrap()
}

/// The whole log in one.
fn all(log: &Found) -> Vec<u8> {
    log.values().flatten().copied().collect()
}

/// Asserts that all that was promised is there, and that what is missing is said.
fn assert_kept(disk: &Disk, found: &Found, recovered: &Recovered) {
    let (found, kept, log) = (all(found), all(&disk.kept()), all(&recovered.log));
    let (whole, torn) = found.split_at(whole_lines(&found));
    assert!(log.starts_with(whole) && whole.len() >= whole_lines(&kept), "a whole line is gone");
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
    assert_recorded(disk, &log);
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

/// Cuts a recording at every so many bytes, and takes the log up again each time.
fn cut_at_every(step: usize, mut disk: Disk, recording: &[Happened]) -> Disk {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for happened in recording {
        disk = disk.after(happened);
        let (found, disk) = (disk.found(step), &disk);
        std::thread::scope(|scope| {
            for part in found.chunks(found.len().div_ceil(threads)) {
                scope.spawn(move || part.iter().for_each(|found| assert_kept(disk, found, &recover(found))));
            }
        });
    }
    disk
}

/// Of a run in files of so many bytes; how many there were.
fn assert_nothing_promised_is_lost(most: u64, step: usize) -> u64 {
    let disk = cut_at_every(step, Disk::default(), &run(most));
    let promised = |promise| disk.promises.contains(&promise);
    assert!([Promise::Opened, Promise::Closed].into_iter().all(promised), "{:?}", disk.promises);
    assert!([1, 2, 3, 5].into_iter().map(Promise::Recorded).all(promised), "{:?}", disk.promises);
    let report = examined(&disk.kept());
    assert!(disk.loose() == 0 && report.whole().is_ok());
    report.segments
}

#[test]
fn a_loss_of_power_at_any_byte_of_a_run_takes_no_promise_back() {
    assert_eq!(assert_nothing_promised_is_lost(u64::MAX, 1), 1);
}

#[test]
fn a_loss_of_power_anywhere_in_a_log_that_goes_on_in_other_files_takes_no_promise_back() {
    let files = assert_nothing_promised_is_lost(1, 4);
    assert!(files > 3, "{files}");
}

/// The power may go again while what was left of a run in files of so many bytes is taken up.
fn assert_taken_up_whenever_power_goes_again(most: u64, step: usize) {
    let recording = run(most);
    let mut before = Disk::default();
    for happened in &recording {
        let disk = before.clone().after(happened);
        let all = disk.found(1);
        // In the middle of what was appended last, and with and without the name of what was made last.
        let odd: Vec<&Found> = match disk.loose() {
            0 => all.iter().filter(|_| all.len() > 1).collect(),
            loose => all.iter().skip(loose / 2).take(1).collect(),
        };
        for found in odd {
            let again = Disk::holding(found, &disk.promises);
            cut_at_every(step, again, &recover(found).calls);
        }
        before = disk;
    }
}

#[test]
fn a_second_loss_of_power_while_a_log_is_taken_up_takes_no_promise_back() {
    assert_taken_up_whenever_power_goes_again(u64::MAX, 1);
}

#[test]
fn a_second_loss_of_power_while_a_log_of_several_files_is_taken_up_takes_no_promise_back() {
    assert_taken_up_whenever_power_goes_again(1, 4);
}
