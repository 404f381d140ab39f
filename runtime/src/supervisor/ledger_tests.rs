//! Is a log opened by one writer alone, continued where it can be and left alone where not, and split where a file is full?

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
fn a_log_of_many_files_has_few_of_them_open_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    run(&path, "one", 20);
    let files = Files::of(&path);
    let most = files.most_open();
    drop(Ledger::take_up(files, key(), &[]).unwrap());
    let most = most.load(std::sync::atomic::Ordering::Relaxed);
    assert!(verified(&path).segments == 21 && most <= 5, "{most} of 21 files were open at once");
}

#[test]
fn after_a_failed_write_nothing_is_taken_any_more() {
    // Writing to /dev/full fails as a full disk does.
    let ledger = Ledger {
        files: Files::of(Path::new("/dev/full")),
        key: key(),
        pending: Mutex::new(Pending { chain: Chain::new(), lines: b"x\n".to_vec(), failed: None }),
        secrets: Arc::default(),
        most: segments::USUAL,
        writer: Mutex::new(Writer {
            file: Files::of(Path::new("/dev/full"))
                .told(1, std::fs::File::options().write(true).open("/dev/full"))
                .unwrap(),
            number: 1,
            first: None,
        }),
    };
    assert!(matches!(ledger.commit(), Err(LedgerError::Io { .. })));
    assert!(matches!(ledger.append(&denied()), Err(LedgerError::Failed(_))));
    assert!(matches!(ledger.commit(), Err(LedgerError::Failed(_))));
}

#[test]
fn what_is_written_to_a_file_that_has_lost_its_name_or_was_changed_counts_for_nothing() {
    type Act = fn(&Path);
    let cut = |log: &Path| std::fs::File::options().write(true).open(log).unwrap().set_len(10).unwrap();
    let added = |log: &Path| {
        let mut file = std::fs::File::options().append(true).open(log).unwrap();
        std::io::Write::write_all(&mut file, b"{}\n").unwrap();
    };
    let acts: [(Act, bool); 4] = [
        (|log| std::fs::remove_file(log).unwrap(), true),
        (|log| std::fs::rename(log, log.with_extension("old")).unwrap(), true),
        (cut, false),
        (added, false),
    ];
    // Of a log of two files, either.
    for (number, most) in [(1, segments::USUAL), (1, 1), (2, 1)] {
        for (at, (act, is_moved)) in acts.into_iter().enumerate() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("audit.jsonl");
            let ledger = Ledger::open(&path, key()).unwrap().with_files_of(most);
            ledger.append(&start("one")).unwrap();
            ledger.commit().unwrap();
            // What is in a file that is full was read back by nobody yet, and is found by who verifies it.
            if !is_moved && number == 1 && most == 1 {
                continue;
            }
            act(&segments::path(&path, number));
            ledger.append(&denied()).unwrap();
            let said = ledger.commit();
            let is_named =
                matches!((&said, is_moved), (Err(LedgerError::Moved(_)), true) | (Err(LedgerError::Changed(_)), false));
            assert!(is_named, "{number} {at}: {said:?}");
            assert!(matches!(ledger.append(&denied()), Err(LedgerError::Failed(_))));
        }
    }
}
