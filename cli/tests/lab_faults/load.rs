//! What does a crowd leave? Many connections at once, many bottles at once, and one after the other: every attempt is recorded once, and nothing grows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::family;
use crate::moments::{from_environment, is_long};
use crate::running::{Processes, Running};
use crate::scene::Scene;
use crate::world::{each_entry, text};

/// This many in the usual form, and in the long one, unless the environment says how many.
fn size(name: &str, usual: u64, long: u64) -> usize {
    let size = from_environment(name).unwrap_or(if is_long() { long } else { usual });
    println!("{name}: {size}");
    usize::try_from(size).unwrap()
}

/// Opens as many as it is told at once, waits until each is answered or refused, says how many of each, holds all, and
/// closes them at the next line. Refused is what is reset; anything else that goes wrong is said and counts as neither.
const CROWD: &str = r"
import selectors, socket, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
print('ready', flush=True)
while line := input():
    crowd, wait, answered, refused = [], selectors.DefaultSelector(), 0, 0
    address = socket.gethostbyname('web.lab.example')
    for number in range(int(line)):
        one = socket.socket(); one.setblocking(False); one.connect_ex((address, 7))
        crowd.append(one); wait.register(one, selectors.EVENT_WRITE)
    while wait.get_map():
        for key, events in wait.select():
            try:
                if events & selectors.EVENT_WRITE:
                    key.fileobj.send(b'token\n'); wait.modify(key.fileobj, selectors.EVENT_READ)
                else:
                    answered += key.fileobj.recv(9) == b'token\n'; wait.unregister(key.fileobj)
            except ConnectionResetError: refused += 1; wait.unregister(key.fileobj)
            except OSError as error: print(error); wait.unregister(key.fileobj)
    print(answered, refused, flush=True); input()
    for one in crowd: one.close()
    print('closed', flush=True)
";

/// What the processes of a bottle hold: open descriptors, and memory of their own in KiB.
#[derive(Clone, Copy, Debug)]
struct Held {
    descriptors: usize,
    memory: u64,
}

impl Held {
    fn by(processes: &Processes) -> Held {
        let pids = [&processes.supervisor, &processes.gate, &processes.dialler].map(|held| held.pid);
        let descriptors = pids.iter().map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()).sum();
        Held { descriptors, memory: pids.iter().map(|pid| memory(*pid)).sum() }
    }
}

/// Not that of files: how much of the program's counts depends on who else runs it.
fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse().unwrap()
}

/// Waits until no more descriptors are held than before: the gate hears of each end by itself.
fn settled(processes: &Processes, before: Held, what: &str) -> Held {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = Held::by(processes);
        if now.descriptors <= before.descriptors {
            return now;
        }
        assert!(Instant::now() < deadline, "{what}: {before:?} became {now:?}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Asserts that the log has one decision and one outcome for each attempt, that each one that was refused was denied for
/// want of room, and that each other one arrived.
fn assert_counted(scene: &Scene, (answered, refused): (usize, usize), what: &str) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for entry in
        each_entry(&scene.audit()).filter(|entry| ["decision", "outcome"].iter().any(|kind| entry["kind"] == *kind))
    {
        let of = |field: &str| entry[field].as_str().unwrap_or("").to_owned();
        let end = of("decision") + &of("result");
        *seen.entry([of("kind"), end, of("reason")].join(" ")).or_default() += 1;
    }
    println!("{what}: {seen:#?}");
    let sum = |word: &str| seen.iter().filter(|(key, _)| key.contains(word)).map(|(_, count)| *count).sum::<usize>();
    assert_eq!((sum("decision "), sum("outcome ")), (answered + refused, answered + refused), "{what}: {seen:#?}");
    let of = |key: &str| seen.get(key).copied().unwrap_or(0);
    assert_eq!((of("decision deny limit"), of("outcome refused limit")), (refused, refused), "{what}: {seen:#?}");
    assert_eq!(scene.world.lab.received("echo").unwrap().len(), answered, "{what}: {seen:#?}");
}

/// How many of so many connections at once were answered, and how many refused.
fn crowd(running: &mut Running, many: usize) -> (usize, usize) {
    running.write(&format!("{many}\n"));
    let line = running.line();
    let (answered, refused) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
    (answered.parse().expect(&line), refused.parse().expect(&line))
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (act(), begun.elapsed())
}

fn dissolve(running: &mut Running) {
    running.write("\n");
    assert_eq!(running.line(), "closed");
}

#[test]
fn a_crowd_of_connections_is_served_recorded_once_each_and_leaves_nothing() {
    let many = size("BOTTLE_FAULTS_CONNECTIONS", 1_000, 5_000);
    let mut scene = Scene::without_capture();
    let mut running = scene.start(&["-i", "host", "--", "python3", "-c", CROWD]).ready();
    let processes = running.processes();
    let idle = Held::by(&processes);
    // The first crowd makes what is kept for all: caches, pools, the allocator's own.
    let (first, first_took) = timed(|| crowd(&mut running, many));
    dissolve(&mut running);
    let before = settled(&processes, idle, "the first crowd");
    let ((answered, refused), took) = timed(|| crowd(&mut running, many));
    let full = Held::by(&processes);
    dissolve(&mut running);
    let after = settled(&processes, before, "connections");
    println!(
        "{many} connections in {first_took:?} and {took:?}: {answered} answered, {refused} refused; {before:?}, {full:?}, {after:?}"
    );
    assert!(first_took.max(took) < Duration::from_secs(60), "{first_took:?}, {took:?}");
    // Crowds come in different order, and what the allocator keeps depends on it.
    assert!(after.memory < before.memory + 16 * 1024, "{before:?} became {after:?}");
    assert_eq!(running.finish().code, 1, "the end of its input is its end");
    for (answered, refused) in [first, (answered, refused)] {
        assert_eq!(answered + refused, many, "each is answered or refused");
        // So many are opened at once; the others are refused, unless some are through before the last ones come.
        assert!(answered >= many.min(1_024), "{answered}");
    }
    assert_counted(&scene, (first.0 + answered, first.1 + refused), "connections");
    scene.assert_clean("a crowd of connections");
}

const ONE: &str = "exec 3<>/dev/tcp/web.lab.example/7; echo token >&3; read -r line <&3; echo ready; cat";

#[test]
fn many_bottles_at_once_are_each_their_own_and_leave_nothing() {
    let many = size("BOTTLE_FAULTS_BOTTLES", 8, 200);
    let mut scene = Scene::without_capture();
    let begun = Instant::now();
    let mut bottles = Vec::new();
    for _ in 0..many {
        let running = scene.start(&["-i", "host", "--", "bash", "-c", ONE]).ready();
        bottles.push((running, scene.audit()));
    }
    println!("{many} bottles in {:?}", begun.elapsed());
    assert_eq!(scene.world.lab.received("echo").unwrap().len(), many);
    let said: Vec<_> = bottles.into_iter().map(|(running, audit)| (running.finish(), audit)).collect();
    println!("ended after {:?}", begun.elapsed());
    let ended: Vec<_> = said.iter().filter(|(said, _)| (said.code, said.err.as_str()) != (0, "")).collect();
    assert!(ended.is_empty(), "{} did not live to their end: {ended:#?}", ended.len());
    for (_, audit) in said {
        assert_eq!(decisions(&audit), 1, "{}", text(&audit));
    }
    scene.assert_clean("many bottles");
}

/// A bottle that lives all the time and connects, beside bottles that come and go in every way.
#[test]
fn bottles_that_come_and_go_leave_nothing_and_one_that_stays_does_not_grow() {
    let seconds = size("BOTTLE_FAULTS_CHURN", 20, 1_800) as u64;
    let mut scene = Scene::without_capture();
    let mut staying = scene.start(&["-i", "host", "--", "python3", "-c", CROWD]).ready();
    let (log, processes) = (scene.audit(), staying.processes());
    assert_eq!(crowd(&mut staying, 50), (50, 0));
    dissolve(&mut staying);
    let (before, own) = (Held::by(&processes), fs::read_dir("/proc/self/fd").unwrap().count());
    let beside = family::living();
    let (mut bottles, mut attempts) = (0, 50);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < deadline {
        let running = scene.start(&["-i", "host", "--", "bash", "-c", ONE]).ready();
        match bottles % 3 {
            0 => assert_eq!(running.finish().code, 0),
            1 => {
                running.signal(Signal::TERM);
                assert_eq!(running.end().code, 143);
            }
            _ => {
                running.signal(Signal::KILL);
                running.bury();
            }
        }
        bottles += 1;
        assert_eq!(crowd(&mut staying, 50), (50, 0));
        dissolve(&mut staying);
        attempts += 50;
        while family::living() != beside {
            assert!(Instant::now() < deadline + Duration::from_secs(30), "processes are left");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    let after = settled(&processes, before, "churn");
    println!("{seconds} s: {bottles} bottles, {attempts} connections through one; {before:?}, then {after:?}");
    assert!(after.memory < before.memory + 8 * 1024, "{before:?} became {after:?}");
    assert_eq!(fs::read_dir("/proc/self/fd").unwrap().count(), own, "descriptors of the test's");
    staying.finish();
    assert_eq!((decisions(&log), scene.world.lab.received("echo").unwrap().len()), (attempts, attempts + bottles));
    scene.assert_clean("churn");
}

fn decisions(log: &Path) -> usize {
    each_entry(log).filter(|entry| entry["kind"] == "decision").count()
}
