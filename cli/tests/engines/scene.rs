//! What does a test of engines hold? A world, bundles in it, and what is left when a container has ended.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::host;
use crate::running::{Held, Running};
use crate::world::{BOTTLE, LIMIT, PATH, Said, World, entries, said, text};

/// A world with a directory of policies and of containers.
pub struct Scene {
    pub world: World,
    who: Who,
    count: AtomicUsize,
}

/// Who calls engines here, and where.
#[derive(Clone, PartialEq, Eq)]
pub enum Who {
    /// Whoever runs the test, on the lab's host.
    Tester,
    /// This user, whom root becomes there.
    User(String),
    /// An ordinary user who runs the test, beside the lab: that one's is a user namespace, in which newuidmap(1) has no power.
    Beside,
}

/// A container that runs, and who supervises its bottle.
pub struct Contained {
    pub running: Running,
    pub supervisor: Held,
    pub first: Held,
}

impl Scene {
    pub fn new() -> Scene {
        Scene::of(Who::Tester)
    }

    pub fn of(who: Who) -> Scene {
        // Beside the lab all tests are in one network.
        let world = if who == Who::Beside { World::alone() } else { World::new() };
        let scene = Scene { world, who, count: AtomicUsize::new(0) };
        // The ids that a container has outside must be able to pass.
        for path in [scene.path(""), scene.path("containers"), scene.path("policies")] {
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        if let Who::User(name) = &scene.who {
            let user = nix::unistd::User::from_name(name).unwrap().unwrap();
            for own in ["home", "state"].map(|name| scene.path(name)) {
                fs::create_dir_all(&own).unwrap();
                chown(&own, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
        }
        scene.settings(&json!({}));
        scene
    }

    /// A program of whoever calls engines.
    pub fn program(&self, program: &str) -> Command {
        let mut command = match &self.who {
            Who::Tester => return self.world.program(program),
            Who::User(name) => self.world.lab.command_as(name, program),
            Who::Beside => Command::new(program),
        };
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", self.path("home"));
        command.env("BOTTLE_ROOT", self.path("state")).current_dir(self.path("project")).stdin(Stdio::null());
        command
    }

    /// `bottle` of theirs.
    pub fn bottle(&self, words: &[&str]) -> Command {
        let mut command = self.program(BOTTLE);
        command.args(words);
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }

    /// What the administrator says, beside where the policies are.
    pub fn settings(&self, settings: &Value) {
        let mut whole = json!({"unannotated": "bottled", "policies": text(&self.path("policies"))});
        whole.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        fs::write(self.path("hooks.json"), whole.to_string()).unwrap();
    }

    /// Says one thing more, or another.
    pub fn also(&self, settings: &Value) {
        let mut whole: Value = serde_json::from_slice(&fs::read(self.path("hooks.json")).unwrap()).unwrap();
        whole.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        fs::write(self.path("hooks.json"), whole.to_string()).unwrap();
    }

    /// A policy that annotations can name.
    pub fn policy(&self, name: &str, meaning: &str) {
        fs::write(self.path("policies").join(name), format!("version: 1\n{meaning}")).unwrap();
    }

    /// A bundle that executes a script.
    pub fn bundle(&self, script: &str) -> Bundle {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let place = self.path("containers").join(format!("bottle-test-{}-{number}", self.world.lab.pid()));
        fs::create_dir(&place).unwrap();
        Bundle::new(&place, script, &self.path("hooks.json"), &self.path("state"))
    }

    /// The engine's runtime on the lab's host. Containers are called as the directories of their bundles.
    pub fn runc(&self, words: &[&str]) -> Command {
        let mut runc = self.world.program("runc");
        runc.arg("--root").arg(self.path("runc")).args(words).env_remove("BOTTLE_ROOT");
        runc
    }

    /// `bottle-oci` before runc, with this test's settings, and its state in the environment.
    pub fn wrapper(&self) -> Command {
        let [link, option, settings] = self.wrapping();
        let mut wrapper = self.world.program(&link);
        wrapper.args([option, settings]);
        wrapper
    }

    /// The same as words.
    pub fn wrapping(&self) -> [String; 3] {
        let link = self.path("bottle-oci");
        // It may be there already.
        let _ = std::os::unix::fs::symlink(BOTTLE, &link);
        [text(&link).into(), "--bottle-settings".into(), text(&self.path("hooks.json")).into()]
    }

    /// `runc run`, not started yet.
    pub fn command(&self, bundle: &Bundle) -> Command {
        bundle.write();
        self.runc(&["run", "--bundle", text(&bundle.place), &name(bundle)])
    }

    /// Runs a container to its end.
    pub fn run(&self, bundle: &Bundle) -> Said {
        said(&mut self.command(bundle))
    }

    /// Starts one whose script says `ready` and then reads its input.
    pub fn start(&self, bundle: &Bundle) -> Contained {
        self.contained(self.command(bundle))
    }

    /// The same of whatever engine runs this command.
    pub fn contained(&self, engine: Command) -> Contained {
        let running = Running::start(engine).ready();
        let record = self.living().remove(0);
        let held = |who: &str| Held::new(u32::try_from(record[who].as_u64().unwrap()).unwrap());
        Contained { running, supervisor: held("supervisor"), first: held("workload") }
    }

    /// What is on record of the bottles that live.
    pub fn living(&self) -> Vec<Value> {
        let listed = said(&mut self.bottle(&["ps", "--json"]));
        serde_json::from_str(listed.ok()).unwrap()
    }

    /// The directories of evidence, one for each bottle that there was.
    pub fn evidence(&self) -> Vec<PathBuf> {
        let runs = fs::read_dir(self.path("state/data/runs")).into_iter().flatten().flatten();
        runs.map(|entry| entry.path()).collect()
    }

    /// The one log of the one bottle that there was, which verifies with its attestation.
    pub fn verified(&self) -> Vec<Value> {
        let [directory] = <[PathBuf; 1]>::try_from(self.evidence()).unwrap();
        let (log, attestation) = (directory.join("audit.jsonl"), directory.join("attestation.json"));
        said(&mut self.bottle(&["attest", "verify", text(&attestation)])).ok();
        let both = ["audit", "verify", text(&log), "--attestation", text(&attestation)];
        said(&mut self.bottle(&both)).ok();
        entries(&log)
    }

    /// The facts of that bottle.
    pub fn facts(&self) -> Value {
        let attestation = self.evidence().remove(0).join("attestation.json");
        let shown = said(&mut self.bottle(&["attest", "show", "--json", text(&attestation)]));
        let shown: Value = serde_json::from_str(shown.ok()).unwrap();
        shown["predicate"]["facts"].clone()
    }

    /// The digest that its attestation has of this.
    pub fn subject(&self, name: &str) -> String {
        let attestation = self.evidence().remove(0).join("attestation.json");
        let verified = said(&mut self.world.bottle(&["attest", "verify", "--json", text(&attestation)]));
        let verified: Value = serde_json::from_str(verified.ok()).unwrap();
        let subjects = &verified["attestation"]["subjects"];
        subjects[name].as_str().unwrap_or_else(|| panic!("no {name} in {verified}")).to_owned()
    }

    /// Waits until every process of bottles here has ended, and asserts that nothing else is left.
    pub fn assert_nothing_left(&self) {
        let begun = Instant::now();
        while let Some(pid) = self.bottles_processes().first() {
            assert!(begun.elapsed() < LIMIT, "{pid} {} is left", host::first_argument(*pid));
            if let Some(process) = Held::find(*pid) {
                process.ends_within(Duration::from_secs(1));
            }
        }
        for directory in ["containers", "records"] {
            for parent in ["state/run", "state/data"] {
                assert_eq!(names(&self.path(parent).join(directory)), BTreeSet::new(), "{parent}/{directory}");
            }
        }
        assert_eq!(names(&self.path("runc")), BTreeSet::new());
        let groups = fs::read_dir("/sys/fs/cgroup").unwrap().flatten().flat_map(|hierarchy| names(&hierarchy.path()));
        let own = format!("bottle-test-{}-", self.world.lab.pid());
        assert_eq!(groups.filter(|name| name.starts_with(&own)).collect::<Vec<_>>(), [""; 0]);
    }

    /// Those that hold one of the test's own files or whose parent does: helpers and the warden have no file open.
    fn bottles_processes(&self) -> Vec<u32> {
        let hosts = if self.who == Who::Beside { std::process::id() } else { self.world.lab.pid() };
        let hosts = namespace(hosts);
        let is_bottles = |pid: &u32| {
            host::first_argument(*pid).starts_with("bottle-") && !host::first_argument(*pid).starts_with("bottle-lab")
        };
        let here: BTreeSet<u32> =
            host::processes().into_iter().filter(is_bottles).filter(|pid| namespace(*pid) == hosts).collect();
        here.into_iter().collect()
    }
}

impl Contained {
    /// Ends the container by closing its input, and waits.
    pub fn finish(self) -> Said {
        let said = self.running.finish();
        assert!(self.supervisor.ends_within(LIMIT), "the supervisor outlives the container");
        said
    }

    /// Waits for the end that something else has brought about.
    pub fn end(self) -> Said {
        let said = self.running.end();
        assert!(self.supervisor.ends_within(LIMIT), "the supervisor outlives the container");
        said
    }
}

/// What the engine calls it.
pub fn name(bundle: &Bundle) -> String {
    bundle.place.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Where a process is on the network.
fn namespace(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_str().unwrap().to_owned()).collect()
}
