//! Does anything get out between a crash and the end? A workload sends every millisecond, and one of bottle's own processes is killed.

mod range;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use bottle_escape::field::{Field, Marks};
use bottle_escape::pulse;
use bottle_lab::Lab;

const PATIENCE: Duration = Duration::from_secs(20);
/// Moments after the first beat, of which each run draws one below.
const SOON: u64 = 60;
/// Moments after the start, when most of the run is still being built.
const EARLY: u64 = 120;

struct Scene {
    lab: Lab,
    directory: tempfile::TempDir,
    field: Field,
}

impl Scene {
    fn new() -> Scene {
        bottle_lab::require();
        let lab = Lab::start(bottle_lab::Options::default()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("project")).unwrap();
        fs::create_dir(directory.path().join("home")).unwrap();
        let marks = Marks { v4: [11, 200, 0, 0].into(), v6: "2600:db:77::".parse().unwrap() };
        let field = Field { seed: "crash".into(), marks: Some(marks), ..Field::default() };
        let project = directory.path().join("project");
        fs::copy(range::programs::static_program(), project.join("bottle-escape")).unwrap();
        fs::write(project.join("field.json"), serde_json::to_vec(&field).unwrap()).unwrap();
        Scene { lab, directory, field }
    }

    fn project(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    /// A workload that beats, after these words.
    fn start(&self, around: &[&str]) -> Child {
        let _ = fs::remove_file(self.project().join("beats"));
        let program = self.project().join("bottle-escape");
        let mut words: Vec<PathBuf> = around.iter().map(PathBuf::from).collect();
        words.extend([program, "pulse".into(), "--field".into(), self.project().join("field.json")]);
        let mut command = self.lab.command(&words[0]);
        command.args(&words[1..]).current_dir(self.project()).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null()).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("HOME", self.directory.path().join("home")).env("BOTTLE_ROOT", self.directory.path().join("state"));
        command.spawn().unwrap()
    }

    fn bottle(&self) -> Child {
        let bottle = range::programs::beside("bottle");
        self.start(&[
            bottle.to_str().unwrap(),
            "run",
            "--timeout",
            "60",
            "--allow",
            "api.allowed.example",
            "host",
            "--",
        ])
    }

    /// How many beats there were; none before the first.
    fn beats(&self) -> Option<u64> {
        fs::read_to_string(self.project().join("beats")).ok()?.parse().ok()
    }

    fn first_beat(&self) {
        let beating = until(|| self.beats());
        assert!(beating.is_some(), "the workload never began");
    }

    /// Waits until the workload is gone: nothing else would end its beats.
    fn silence(&self, what: &str) {
        let silent = until(|| {
            let before = self.beats();
            std::thread::sleep(Duration::from_millis(100));
            (before == self.beats()).then_some(())
        });
        assert!(silent.is_some(), "{what}: the workload outlives its bottle");
    }

    /// The packets outside that are the workload's.
    fn seen(&self) -> usize {
        let token = pulse::token(&self.field);
        let (text, address) = (token.bytes(), token.v4().unwrap().octets());
        let packets = self.lab.all_packets().unwrap();
        let has = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        packets.iter().filter(|packet| has(&packet.bytes, text) || has(&packet.bytes, &address)).count()
    }
}

fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

/// The process with this name among those that a process started, itself included.
fn among_descendants(ancestor: u32, name: &str) -> Option<u32> {
    let parent = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let ids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let named = |id: &u32| {
        let words = fs::read(Path::new("/proc").join(id.to_string()).join("cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).next() == Some(name.as_bytes())
    };
    let below = |id: &u32| std::iter::successors(Some(*id), |id| parent(*id)).take(8).any(|id| id == ancestor);
    ids.filter(named).find(below)
}

/// Only processes that the test itself started, by number.
fn kill(id: u32) {
    let killed = std::process::Command::new("kill").args(["-KILL", &id.to_string()]).status().unwrap();
    assert!(killed.success(), "process {id} can't be killed");
}

/// Numbers that depend on the seed alone, which a failure shows.
fn moments(seed: u64, below: u64) -> impl Iterator<Item = Duration> {
    let next =
        |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    std::iter::successors(next(&seed), next).map(move |state| Duration::from_millis((state >> 33) % below))
}

fn nothing_gets_out_when(victim: Option<&str>, seed: u64) {
    let scene = Scene::new();
    for moment in moments(seed, SOON).take(3) {
        let mut bottle = scene.bottle();
        scene.first_beat();
        std::thread::sleep(moment);
        let id = victim.map_or(Some(bottle.id()), |name| among_descendants(bottle.id(), name));
        let what = format!("{} killed {moment:?} after the first beat", victim.unwrap_or("the supervisor"));
        kill(id.unwrap_or_else(|| panic!("{what}: there is no such process")));
        assert!(!bottle.wait().unwrap().success(), "{what}: the run ended well");
        scene.silence(&what);
        assert_eq!(scene.seen(), 0, "{what}: packets of the workload's outside");
    }
}

#[test]
fn nothing_gets_out_when_the_gate_is_killed() {
    nothing_gets_out_when(Some("bottle-gate"), 1);
}

#[test]
fn nothing_gets_out_when_the_dialler_is_killed() {
    nothing_gets_out_when(Some("bottle-dialler"), 2);
}

#[test]
fn nothing_gets_out_when_init_is_killed() {
    nothing_gets_out_when(Some("bottle-init"), 3);
}

#[test]
fn nothing_gets_out_when_the_supervisor_is_killed() {
    nothing_gets_out_when(None, 4);
}

/// The workload may or may not have begun: what it sends at once must find the rules in place.
#[test]
fn nothing_gets_out_when_the_supervisor_is_killed_while_it_starts() {
    let scene = Scene::new();
    for moment in moments(5, EARLY).take(6) {
        let mut bottle = scene.bottle();
        std::thread::sleep(moment);
        kill(bottle.id());
        bottle.wait().unwrap();
        scene.silence(&format!("killed {moment:?} after the start"));
        assert_eq!(scene.seen(), 0, "killed {moment:?} after the start");
    }
}

/// The same workload where nothing stands in its way.
#[test]
fn the_same_workload_is_seen_at_once_without_a_bottle() {
    let scene = Scene::new();
    let mut workload = scene.start(&[]);
    scene.first_beat();
    workload.kill().unwrap();
    workload.wait().unwrap();
    assert!(scene.seen() > 0);
}
