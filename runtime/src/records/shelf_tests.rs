//! Is a record there while its run is, and is a name one bottle's?

use bottle_evidence::{Digest, Time};

use super::*;
use crate::records::{LivingError, Running};

fn shelf() -> (tempfile::TempDir, Shelf) {
    let directory = tempfile::tempdir().unwrap();
    let state = State { data: directory.path().join("data"), run: directory.path().join("run") };
    let shelf = Shelf::open(&state, rustix::process::geteuid().as_raw()).unwrap();
    (directory, shelf)
}

fn record(id: &str, name: &str, afterwards: Afterwards) -> Record {
    Record {
        id: id.repeat(32),
        name: name.parse().unwrap(),
        image: "host".into(),
        image_digest: Digest::ZERO,
        policy: Digest::ZERO,
        command: vec!["true".into()],
        user: "0:0".into(),
        workdir: "/".into(),
        created: Time::from_micros(id.as_bytes()[0].into()),
        detached: false,
        terminal: false,
        afterwards,
        stop_signal: 15,
        audit: "/a".into(),
        attestation: "/b".into(),
        changes: "/c".into(),
        upstream_proxy: None,
        published: Vec::new(),
        supervisor: 1,
        running: None,
    }
}

fn running(workload: u32, start: Option<u64>) -> Running {
    Running { started: Time::from_micros(2), workload, start, control: Some(9) }
}

fn end() -> End {
    End { code: 7, signal: None, reason: None, ended: Time::from_micros(9) }
}

#[test]
fn a_run_starts_runs_and_has_ended() {
    let (_directory, shelf) = shelf();
    let mut own = shelf.enter(record("a", "one", Afterwards::Keep), true).unwrap();
    let condition = || shelf.find("one").unwrap().condition;
    assert_eq!(condition(), Condition::Starting);
    own.running(running(2, None)).unwrap();
    assert_eq!(condition(), Condition::Running);
    own.end(&end()).unwrap();
    assert_eq!(condition(), Condition::Ended(end()));
}

/// As an older program wrote it; what can't be read is removed with its log.
#[test]
fn a_record_without_what_was_added_since_is_read() {
    let record = Record { running: Some(running(2, Some(3))), ..record("a", "one", Afterwards::Keep) };
    let mut written = serde_json::to_value(record).unwrap();
    written["running"].as_object_mut().unwrap().remove("start").expect("start");
    for added in ["changes", "upstream_proxy"] {
        written.as_object_mut().unwrap().remove(added).expect(added);
    }
    let read: Record = serde_json::from_value(written).unwrap();
    assert_eq!((read.changes.as_str(), read.upstream_proxy), ("", None));
    assert_eq!(read.running, Some(running(2, None)));
}

/// As where the records of one pid namespace are read in another.
#[test]
fn a_process_that_has_the_number_of_a_bottles_first_one_and_is_another_is_none_of_it() {
    let (_directory, shelf) = shelf();
    let own = std::process::id();
    let start = crate::process::Stat::read(own).unwrap().unwrap().start;
    for (said, is_it) in [(None, true), (Some(start), true), (Some(start + 1), false)] {
        let mut entered = shelf.enter(record("a", "one", Afterwards::Forget), true).unwrap();
        entered.running(running(own, said)).unwrap();
        let living = shelf.find("one").unwrap().living();
        assert_eq!(living.as_ref().is_ok_and(|living| living.workload.start == start), is_it, "{living:?}");
        assert_eq!(matches!(living, Err(LivingError::NotRunning(_))), !is_it, "{living:?}");
        entered.end(&end()).unwrap();
    }
}

#[test]
fn a_run_whose_lock_nobody_holds_and_that_has_no_end_is_lost() {
    let (_directory, shelf) = shelf();
    let own = shelf.enter(record("a", "one", Afterwards::Keep), true).unwrap();
    let directory = own.directory().to_owned();
    // As the kernel does for a process that was killed: nothing is removed, and the lock is let go of.
    std::mem::forget(own);
    let unheld = File::create(directory.join("other")).unwrap();
    lock(&unheld, FlockOperation::LockExclusive).unwrap();
    drop(unheld);
    std::fs::rename(directory.join("other"), directory.join(LOCK)).unwrap();
    assert_eq!(shelf.find("one").unwrap().condition, Condition::Lost);
    assert_eq!(shelf.all().unwrap().len(), 1);
}

#[test]
fn what_nobody_was_to_keep_is_removed_when_its_supervisor_is_gone() {
    let (_directory, shelf) = shelf();
    let own = shelf.enter(record("a", "one", Afterwards::Forget), true).unwrap();
    let directory = own.directory().to_owned();
    std::mem::forget(own);
    File::create(directory.join("other")).unwrap();
    std::fs::rename(directory.join("other"), directory.join(LOCK)).unwrap();
    assert!(matches!(shelf.find("one"), Err(FindError::Unknown(_))));
    assert!(shelf.all().unwrap().is_empty() && !directory.exists());
    assert_eq!(std::fs::read_dir(&shelf.names).unwrap().count(), 0);
}

#[test]
fn a_run_that_never_ran_or_is_to_be_forgotten_leaves_no_record() {
    let (_directory, shelf) = shelf();
    drop(shelf.enter(record("a", "one", Afterwards::Keep), true).unwrap());
    assert!(shelf.all().unwrap().is_empty());
    shelf.enter(record("b", "one", Afterwards::Forget), true).unwrap().end(&end()).unwrap();
    assert!(shelf.all().unwrap().is_empty());
}

#[test]
fn a_name_is_one_bottles_until_its_record_is_removed() {
    let (_directory, shelf) = shelf();
    let own = shelf.enter(record("a", "one", Afterwards::Keep), true).unwrap();
    let taken = shelf.enter(record("b", "one", Afterwards::Keep), true);
    assert!(matches!(taken, Err(ShelfError::Taken { id, .. }) if id == "a".repeat(32)));
    own.end(&end()).unwrap();
    assert!(shelf.enter(record("c", "one", Afterwards::Keep), true).is_err());
    let known = shelf.find("one").unwrap();
    shelf.remove(&known).unwrap();
    shelf.remove(&known).unwrap();
    let _own = shelf.enter(record("d", "one", Afterwards::Keep), true).unwrap();
    assert_eq!(shelf.all().unwrap().len(), 1, "those that had no name left no record");
}

#[test]
fn a_name_that_leads_nowhere_is_free() {
    let (_directory, shelf) = shelf();
    symlink("f".repeat(32), shelf.names.join("one")).unwrap();
    assert!(matches!(shelf.find("one"), Err(FindError::Unknown(_))));
    let _own = shelf.enter(record("a", "one", Afterwards::Keep), true).unwrap();
    assert_eq!(shelf.find("one").unwrap().record.id, "a".repeat(32));
}

#[test]
fn an_id_may_be_cut_as_long_as_it_is_one_bottles() {
    let (_directory, shelf) = shelf();
    let _one = shelf.enter(record("a", "one", Afterwards::Keep), true).unwrap();
    let other = Record { id: format!("a{}", "b".repeat(31)), ..record("a", "other", Afterwards::Keep) };
    let _other = shelf.enter(other, false).unwrap();
    assert_eq!(shelf.find("aa").unwrap().record.name.as_str(), "one");
    assert!(matches!(shelf.find("a"), Err(FindError::Ambiguous(_))));
    for nobody in ["c", "../records", "", "other"] {
        assert!(matches!(shelf.find(nobody), Err(FindError::Unknown(_))), "{nobody:?}");
    }
}

#[test]
fn a_run_that_lives_is_not_removed() {
    let (_directory, shelf) = shelf();
    let _own = shelf.enter(record("a", "one", Afterwards::Keep), true).unwrap();
    let removed = shelf.remove(&shelf.find("one").unwrap());
    assert!(matches!(removed, Err(RemoveError::Alive(_))));
}

#[test]
fn a_record_that_is_just_being_made_is_nobodys_to_sweep() {
    let (_directory, shelf) = shelf();
    let directory = shelf.records.join("e".repeat(32));
    std::fs::create_dir(&directory).unwrap();
    let held = new_lock(&directory).unwrap();
    assert!(shelf.all().unwrap().is_empty() && directory.exists());
    drop(held);
    assert!(shelf.all().unwrap().is_empty() && !directory.exists());
}
