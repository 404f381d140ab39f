//! What is left when a bottle was struck? No process, namespace, mount, link, socket or cgroup; a log that says what was; and a next start in nobody's way.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::remains::{Host, sockets_below};
use crate::running::Held;
use crate::world::{LIMIT, World, each_entry, said, text};
use crate::{family, host};

/// What there was before.
pub struct Aftermath {
    /// All namespaces of a bottle are held by its processes or by mounts, and by nothing else.
    processes: BTreeSet<u32>,
    host: Host,
}

impl Aftermath {
    pub fn before(world: &World) -> Aftermath {
        Aftermath { processes: family::living(), host: Host::of(world) }
    }

    /// Asserts that nothing is left, and that the log says what was.
    pub fn assert_nothing_left(&self, world: &World, audit: &Path, what: &str) {
        self.assert_gone(what);
        self.host.assert_unchanged(world, what);
        let sockets = sockets_below(&world.path(""));
        // It has this name for some microseconds, and may be killed in them: then the next start removes it.
        let control = world.path("state/run/control").display().to_string();
        assert!(sockets.iter().all(|socket| *socket == control), "{what}: {sockets:?}");
        assert_eq!(cgroups(world, audit), BTreeSet::new(), "{what}");
        assert_recorded(world, audit, what);
        assert_unchanged(world, audit, what);
    }

    /// Asserts that a bottle takes up this log and finds nothing in its way.
    pub fn assert_next_start(&self, world: &World, audit: &Path, what: &str) {
        assert_next_start(world, audit, what);
        assert_eq!(sockets_below(&world.path("")), [""; 0], "{what}: after the next start");
        self.assert_gone(what);
    }

    /// Waits until every process that was not there before has ended.
    pub fn assert_gone(&self, what: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left: Vec<u32> = family::living().difference(&self.processes).copied().collect();
            let Some(first) = left.first() else { return };
            let names: Vec<String> = left.iter().map(|pid| host::first_argument(*pid)).collect();
            assert!(Instant::now() < deadline, "{what}: {names:?} still run");
            // It may be gone by now, or be an orphan that is to be buried.
            Held::find(*first).map(|held| held.ends_within(Duration::from_millis(20)));
        }
    }
}

/// The control groups of this world's bottles: of those that its logs name, and of those on record. Other tests have theirs.
fn cgroups(world: &World, audit: &Path) -> BTreeSet<String> {
    let beside = fs::read_dir(audit.parent().unwrap()).into_iter().flatten().flatten().map(|entry| entry.path());
    let logs = beside.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"));
    let starts = logs.flat_map(|log| each_entry(&log)).filter(|entry| entry["kind"] == "run.start");
    let mut runs: BTreeSet<String> = starts.filter_map(|start| Some(start["run"].as_str()?.to_owned())).collect();
    let records = fs::read_dir(world.path("state/run/groups")).into_iter().flatten().flatten();
    runs.extend(records.map(|record| record.file_name().to_string_lossy().into_owned()));
    let mut found = BTreeSet::new();
    let mut open = vec![Path::new("/sys/fs/cgroup").to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_ours = name.strip_prefix("bottle-").is_some_and(|run| runs.contains(run));
                found.extend(is_ours.then(|| entry.path().display().to_string()));
                open.push(entry.path());
            }
        }
    }
    found
}

/// The workload ran only behind a run that was opened, and what arrived outside was allowed before.
fn assert_recorded(world: &World, audit: &Path, what: &str) {
    let (mut started, mut allowed) = (0, 0);
    for entry in each_entry(audit) {
        started += usize::from(entry["kind"] == "run.start");
        allowed += usize::from(is_allowed(&entry));
    }
    assert!(started == 1 || !world.project("ran").exists(), "{what}: it ran without a binding");
    let arrived = |service: &str| world.lab.received(service).unwrap().len();
    let since = arrived("echo") + arrived("faulty");
    // Each bottle has a log of its own, and the lab remembers all of them.
    let before = earlier(audit);
    assert!(since <= before + allowed, "{what}: {since} connections arrived, {before} + {allowed} are recorded");
    assert!(world.lab.received("collector").unwrap().is_empty(), "{what}: a denied connection arrived");
    assert!(world.lab.received("udp").unwrap().is_empty(), "{what}: a datagram arrived");
}

/// What the logs beside this one allowed.
fn earlier(audit: &Path) -> usize {
    let beside = fs::read_dir(audit.parent().unwrap()).unwrap().flatten().map(|entry| entry.path());
    let logs = beside.filter(|path| path != audit && path.extension().is_some_and(|kind| kind == "jsonl"));
    logs.flat_map(|log| each_entry(&log)).filter(is_allowed).count()
}

fn is_allowed(entry: &Value) -> bool {
    entry["kind"] == "decision" && entry["decision"] == "allow"
}

/// What the verifier may find in the log of a run that was struck: that its end is missing, and nothing else.
const ENDS: [&str; 4] = ["has no end", "no seal signs", "the log is empty", "the last line has no end"];

fn assert_unchanged(world: &World, audit: &Path, what: &str) {
    if audit.exists() {
        let verified = problem(world, audit);
        assert!(verified.as_ref().is_none_or(|it| ENDS.iter().any(|end| it.contains(end))), "{what}: {verified:?}");
        let closed = each_entry(audit).any(|entry| entry["kind"] == "run.end");
        assert!(!closed || verified.is_none(), "{what}: it was closed, and {verified:?}");
    }
}

fn problem(world: &World, audit: &Path) -> Option<String> {
    let verified = said(&mut world.bottle(&["audit", "verify", "--json", text(audit)]));
    let report: Value = serde_json::from_str(&verified.out).unwrap_or_else(|_| panic!("{verified:?}"));
    assert_eq!(verified.code, i32::from(report["ok"] == false), "{verified:?}");
    report["problem"]["what"].as_str().map(str::to_owned)
}

/// The next bottle, with the same log: it starts, and its own part of the log is whole.
fn assert_next_start(world: &World, audit: &Path, what: &str) {
    let torn = audit.exists().then(|| problem(world, audit)).flatten().is_some();
    let empty = fs::metadata(audit).is_ok_and(|metadata| metadata.len() == 0);
    let next = said(&mut world.bottle(&["run", "--audit", text(audit), "host", "--", "true"]));
    assert_eq!((next.code, next.err.as_str()), (0, ""), "{what}: the next start");
    let (mut kinds, mut frames) = (BTreeSet::new(), Vec::new());
    for entry in each_entry(audit) {
        let kind = entry["kind"].as_str().unwrap().to_owned();
        frames.extend(matches!(&*kind, "run.start" | "run.end").then(|| kind.clone()));
        kinds.insert(kind);
    }
    assert_eq!(frames.last().map(String::as_str), Some("run.end"), "{what}: {frames:?}");
    assert_eq!(kinds.contains("torn"), torn && !empty, "{what}: {kinds:?}");
    let still = problem(world, audit);
    assert!(still.is_none_or(|it| it.contains("has no end")), "{what}");
}
