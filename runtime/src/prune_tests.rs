//! Is what goes closed, old or too much, and does all else stay?

use bottle_evidence::Digest;
use bottle_evidence::audit::{Chain, Ending, RunStart, Workload};
use bottle_evidence::key::SigningKey;
use bottle_evidence::predicate::Mode;

use super::*;

struct Place {
    _directory: tempfile::TempDir,
    state: State,
    shelf: Shelf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let state = State { data: directory.path().join("data"), run: directory.path().join("run") };
    let shelf = Shelf::open(&state, rustix::process::geteuid().as_raw()).unwrap();
    Place { _directory: directory, state, shelf }
}

fn hour(number: u64) -> Time {
    Time::from_micros(1_700_000_000_000_000) + Duration::from_secs(3600 * number)
}

impl Place {
    /// Evidence of a run, of some more than this many bytes, that ended at this hour, if it did.
    fn run(&self, id: &str, ended: Option<u64>, bytes: usize) -> PathBuf {
        let directory = self.state.run_directory(id);
        fs::create_dir_all(&directory).unwrap();
        let (key, mut chain) = (SigningKey::from_seed([1; 32]), Chain::new());
        let (attestation, policy) = (Digest::ZERO, Digest::ZERO);
        let (workload, command) = (Workload { pid: 1, start: 1 }, vec!["true".into()]);
        let start = RunStart { run: id.into(), attestation, workload, command, mode: Mode::Enforce, policy };
        let mut log = chain.append(hour(0), &Entry::RunStart(start)).unwrap();
        if let Some(ended) = ended {
            let ending = Ending { exit: 0, reason: None, millis: 1, refused: BTreeMap::new() };
            log.extend(chain.end(hour(ended), ending).unwrap().1);
        }
        log.extend(chain.seal(hour(9), &key).unwrap());
        fs::write(directory.join(LOG), log).unwrap();
        fs::write(directory.join("attestation.json"), vec![b' '; bytes]).unwrap();
        directory
    }

    fn prune(&self, hours: Option<u64>, within: Option<u64>) -> Pruned {
        let younger_than = hours.map(|hours| Duration::from_secs(3600 * hours));
        prune(&self.state, &self.shelf, Stays { younger_than, within }, hour(10)).unwrap()
    }
}

#[test]
fn what_is_old_goes_and_what_is_young_or_not_closed_stays() {
    let place = place();
    let old = place.run("old", Some(1), 10);
    let young = place.run("young", Some(8), 10);
    let unclosed = place.run("unclosed", None, 10);
    assert_eq!(place.prune(Some(20), None), Pruned { unclosed: 1, ..Pruned::default() });
    let pruned = place.prune(Some(5), None);
    assert_eq!((pruned.runs, pruned.unclosed), (vec!["old".to_owned()], 1));
    assert!(!old.exists() && young.exists() && unclosed.exists());
    assert_eq!(place.prune(Some(5), None).runs, [""; 0]);
}

#[test]
fn of_what_is_too_much_the_oldest_goes() {
    let place = place();
    for (id, ended) in [("b", 2), ("a", 1), ("c", 3), ("d", 4)] {
        place.run(id, Some(ended), 100_000);
    }
    assert_eq!(place.prune(None, Some(500_000)).runs, [""; 0]);
    let pruned = place.prune(None, Some(250_000));
    assert_eq!(pruned.runs, ["a", "b"]);
    assert!(pruned.bytes > 200_000 && pruned.bytes < 210_000, "{pruned:?}");
    assert_eq!(place.prune(None, Some(0)).runs, ["c", "d"]);
}

#[test]
fn a_log_that_is_written_torn_or_elsewhere_stays_and_so_does_what_is_no_run() {
    let place = place();
    let written = place.run("written", Some(1), 10);
    let log = File::open(written.join(LOG)).unwrap();
    rustix::fs::flock(&log, FlockOperation::NonBlockingLockExclusive).unwrap();
    let torn = place.run("torn", Some(1), 10);
    let whole = fs::read(torn.join(LOG)).unwrap();
    fs::write(torn.join(LOG), &whole[..whole.len() - 1]).unwrap();
    let unsealed = place.run("unsealed", Some(1), 10);
    let end = whole.len() - 1 - whole[..whole.len() - 1].iter().rev().position(|byte| *byte == b'\n').unwrap();
    fs::write(unsealed.join(LOG), &whole[..end]).unwrap();
    let elsewhere = place.run("elsewhere", Some(1), 10);
    fs::remove_file(elsewhere.join(LOG)).unwrap();
    let file = place.state.runs().join("file");
    fs::write(&file, "").unwrap();
    let link = place.state.runs().join("link");
    std::os::unix::fs::symlink(place.run("target", Some(9), 10), &link).unwrap();
    assert_eq!(place.prune(Some(5), None), Pruned { unclosed: 4, ..Pruned::default() });
    for kept in [written, torn, unsealed, elsewhere, file, link] {
        assert!(kept.exists(), "{}", kept.display());
    }
}

#[test]
fn what_an_interrupted_prune_left_goes_with_the_next() {
    let place = place();
    let old = place.run("old", Some(1), 10);
    let left = place.state.runs().join(format!("old{REMOVED}"));
    fs::rename(old, &left).unwrap();
    assert_eq!(place.prune(Some(20), None), Pruned::default());
    assert!(!left.exists());
}

#[test]
fn a_log_of_several_files_is_closed_where_its_last_one_is() {
    let place = place();
    let run = place.run("long", Some(1), 10);
    let log = fs::read_to_string(run.join(LOG)).unwrap();
    let (start, rest) = log.split_once('\n').unwrap();
    fs::write(run.join(LOG), format!("{start}\n")).unwrap();
    assert_eq!(place.prune(Some(5), None).unclosed, 1);
    fs::write(run.join("audit.jsonl.3"), rest).unwrap();
    assert_eq!(place.prune(Some(5), None).unclosed, 1, "a file is missing");
    fs::rename(run.join("audit.jsonl.3"), run.join("audit.jsonl.2")).unwrap();
    assert_eq!(place.prune(Some(5), None).runs, ["long"]);
    assert!(!run.exists());
}

#[test]
fn what_is_no_file_in_place_of_a_log_is_not_waited_for_and_stays() {
    let place = place();
    let runs = [("fifo", LOG), ("further", "audit.jsonl.2")].map(|(id, name)| {
        let run = place.run(id, Some(1), 10);
        let _ = fs::remove_file(run.join(name));
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, run.join(name), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        run
    });
    assert_eq!(place.prune(Some(5), None), Pruned { unclosed: 2, ..Pruned::default() });
    assert!(runs.iter().all(|run| run.exists()));
}

#[test]
fn a_run_that_ends_while_records_are_read_keeps_its_evidence_as_it_keeps_its_record() {
    let place = place();
    let old = place.run("old", Some(1), 10);
    let late = std::cell::OnceCell::new();
    let records = || {
        let records = place.shelf.all();
        late.set(place.run("late", Some(1), 10)).unwrap();
        records
    };
    let stays = Stays { younger_than: None, within: Some(0) };
    let pruned = prune_by(&place.state, records, &place.shelf, stays, hour(10)).unwrap();
    assert_eq!((pruned.runs, pruned.unclosed), (vec!["old".to_owned()], 0));
    assert!(!old.exists() && late.get().unwrap().exists());
    assert_eq!(place.prune(None, Some(0)).runs, ["late"]);
}

#[test]
fn several_who_prune_at_once_remove_each_run_once_and_none_of_them_fails() {
    for _ in 0..20 {
        let place = place();
        let ids: Vec<String> = (0..12).map(|number| format!("run-{number:02}")).collect();
        for (ended, id) in (1..).zip(&ids) {
            place.run(id, Some(ended), 10);
            place.run(&format!("{id}{REMOVED}"), Some(ended), 10);
        }
        let mut removed: Vec<String> = std::thread::scope(|scope| {
            let prunes: Vec<_> = (0..4).map(|_| scope.spawn(|| place.prune(None, Some(0)).runs)).collect();
            prunes.into_iter().flat_map(|prune| prune.join().unwrap()).collect()
        });
        removed.sort();
        assert_eq!(removed, ids);
        assert_eq!(fs::read_dir(place.state.runs()).unwrap().count(), 0);
    }
}
