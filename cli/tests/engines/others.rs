//! Do the hooks work for other engines than runc alone? For podman and for crun, as far as this machine lets them run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::bundle::{Bundle, outside};
use crate::host;
use crate::scene::{Scene, name};
use crate::world::{LIMIT, Said, said, text};

const SEES: &str = "busybox ls /sys/class/net | busybox tr '\\n' ' '";

/// crun wants control groups of the second version alone, so that it is shown no others; it makes none.
fn crun(scene: &Scene, bundle: &Bundle) -> Command {
    bundle.write();
    let show = "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec \"$@\"";
    let mut command = scene.world.program("unshare");
    command.env_remove("BOTTLE_ROOT").args(["--mount", "sh", "-c", show, "sh", "crun", "--cgroup-manager=disabled"]);
    command.arg("--root").arg(scene.path("crun")).args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
    command
}

#[test]
fn a_container_of_cruns_is_behind_the_same_airlock() {
    let scene = Scene::new();
    let bundle = scene.bundle(SEES);
    let said = said(&mut crun(&scene, &bundle));
    if !host::is_root() {
        // Nobody else may mount the control groups that crun wants to see here.
        assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
        return;
    }
    assert_eq!(said.ok().trim(), "eth0 lo", "{said:?}");
    scene.assert_nothing_left();
    scene.verified();
}

#[test]
fn a_container_that_is_refused_does_not_run_under_crun_either() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    bundle.annotate("bottle.policy", "missing.yaml");
    let said = said(&mut crun(&scene, &bundle));
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    scene.assert_nothing_left();
    assert!(scene.evidence().is_empty());
}

#[test]
fn a_hook_that_is_missing_hangs_or_fails_starts_nothing_under_crun_either() {
    let scene = Scene::new();
    let fifo = scene.path("settings-that-never-come");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let faults: [fn(&mut Value, &Path); 3] = [
        |hook, _| hook["path"] = json!("/nowhere/bottle"),
        |hook, fifo| (hook["args"][4], hook["timeout"]) = (json!(text(fifo)), json!(2)),
        |hook, _| hook["env"] = json!(["BOTTLE_ROOT=relative"]),
    ];
    for fault in faults {
        let mut bundle = scene.bundle("echo ran");
        fault(&mut bundle.configuration["hooks"]["createRuntime"][0], &fifo);
        let begun = Instant::now();
        let said = said(&mut crun(&scene, &bundle));
        assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
        // The hook may take 120 s: crun must not wait for that where the hook has failed.
        assert!(begun.elapsed() < LIMIT, "{:?}: {said:?}", begun.elapsed());
        scene.assert_nothing_left();
        assert!(scene.evidence().is_empty());
    }
}

/// podman with a store and hooks of its own. What it leaves of control groups goes with this value.
pub struct Podman<'a> {
    scene: &'a Scene,
    runtime: PathBuf,
    hooks: PathBuf,
    /// podman takes no more than 50 characters here.
    run: tempfile::TempDir,
    before: Vec<PathBuf>,
}

impl Podman<'_> {
    fn new(scene: &Scene) -> Podman<'_> {
        let (hooks, settings) = (scene.path("hooks.d"), scene.path("hooks.json"));
        let words = ["hook", "install", "--directory", text(&hooks), "--settings", text(&settings)];
        said(&mut scene.world.bottle(&words)).ok();
        for entry in fs::read_dir(&hooks).unwrap() {
            let path = entry.unwrap().path();
            let mut hook: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            // For this test's state to be its own.
            hook["hook"]["env"] = json!([format!("BOTTLE_ROOT={}", text(&scene.path("state")))]);
            fs::write(&path, hook.to_string()).unwrap();
        }
        Podman::of(scene, Path::new("runc"), hooks)
    }

    /// One that calls no hooks, and another runtime.
    pub fn without_hooks<'a>(scene: &'a Scene, runtime: &Path) -> Podman<'a> {
        let hooks = scene.path("no-hooks.d");
        fs::create_dir(&hooks).unwrap();
        Podman::of(scene, runtime, hooks)
    }

    fn of<'a>(scene: &'a Scene, runtime: &Path, hooks: PathBuf) -> Podman<'a> {
        let run = tempfile::tempdir_in("/tmp").unwrap();
        Podman { scene, runtime: runtime.to_owned(), hooks, run, before: groups() }
    }

    pub fn command(&self) -> Command {
        let mut podman = self.scene.world.program("podman");
        podman.arg("--root").arg(self.scene.path("podman")).arg("--hooks-dir").arg(&self.hooks);
        podman.arg("--runroot").arg(self.run.path()).env("XDG_RUNTIME_DIR", self.run.path());
        podman.arg("--runtime").arg(&self.runtime);
        podman.args(["--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
        podman
    }

    /// A script in the root of a bundle.
    fn run(&self, bundle: &Bundle, options: &[&str]) -> Said {
        said(&mut self.runs(bundle, &[&["--network", "none"], options].concat(), SEES))
    }

    /// A script in the root of a bundle, not started yet.
    pub fn runs(&self, bundle: &Bundle, options: &[&str], script: &str) -> Command {
        let (first, size) = outside();
        let mut run = self.command();
        run.args(["run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]);
        run.arg(format!("--uidmap=0:{first}:{size}")).args(options);
        run.arg("--rootfs").arg(bundle.place.join("rootfs")).args(["sh", "-c", script]);
        run
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        let _ = self.command().args(["system", "reset", "--force"]).output();
        // Ends the process by which podman keeps a user's namespaces for its next call.
        let _ = self.command().args(["system", "migrate"]).output();
        for group in groups().iter().filter(|group| !self.before.contains(group)) {
            remove(group);
        }
    }
}

/// Those that podman makes for all its containers, one a hierarchy.
fn groups() -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    hierarchies.map(|hierarchy| hierarchy.path().join("libpod_parent")).filter(|path| path.exists()).collect()
}

/// An empty one; another's stays.
fn remove(group: &Path) {
    let below = fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path());
    below.filter(|path| path.is_dir()).for_each(|path| remove(&path));
    let _ = fs::remove_dir(group);
}

#[test]
fn a_container_of_podmans_gets_an_airlock_by_its_annotation_and_none_without() {
    let scene = Scene::new();
    scene.settings(&json!({"unannotated": "left-alone"}));
    let podman = Podman::new(&scene);
    let bundle = scene.bundle("");
    if !host::is_root() {
        // An ordinary user's podman calls hooks within a user namespace of its own, if it can make one here at all.
        let annotated = podman.run(&bundle, &["--annotation", "bottle.mode=enforce"]);
        assert!(annotated.code != 0 && annotated.out.is_empty(), "{annotated:?}");
        return;
    }
    assert_eq!(podman.run(&bundle, &[]).ok().trim(), "lo");
    assert!(scene.evidence().is_empty());
    let annotated = podman.run(&bundle, &["--annotation", "bottle.mode=enforce"]);
    assert_eq!(annotated.ok().trim(), "eth0 lo");
    let refused = podman.run(&bundle, &["--annotation", "bottle.policy=missing.yaml"]);
    assert!(refused.code != 0 && refused.out.is_empty() && refused.err.contains("missing.yaml"), "{refused:?}");
    // podman leaves out a hook whose program is gone, and says nothing: no hook of ours can help that. There is no way out with
    // `--network none`; docs/engines.md says so.
    let hook = json!({"version": "1.0.0", "hook": {"path": "/nowhere/bottle"}, "when": {"always": true}, "stages": ["createRuntime"]});
    fs::write(scene.path("hooks.d/zz-bottle-create.json"), hook.to_string()).unwrap();
    assert_eq!(podman.run(&bundle, &["--annotation", "bottle.mode=enforce"]).ok().trim(), "lo");
    drop(podman);
    scene.assert_nothing_left();
    scene.verified();
}

#[test]
fn a_hook_within_an_engines_own_user_namespace_starts_nothing_and_says_why() {
    let scene = Scene::new();
    let bundle = scene.bundle("echo ran");
    bundle.write();
    let state = json!({"ociVersion": "1.0.2", "id": "x", "status": "creating", "pid": std::process::id(),
        "bundle": text(&bundle.place)});
    fs::write(scene.path("input"), state.to_string()).unwrap();
    let mut hook = scene.world.program("unshare");
    hook.args(["--user", "--map-root-user", crate::world::BOTTLE, "hook", "create", "--settings"]);
    hook.arg(scene.path("hooks.json")).stdin(fs::File::open(scene.path("input")).unwrap());
    let said = said(&mut hook);
    assert!(said.code != 0 && said.err.contains("user namespace of its own"), "{said:?}");
    assert!(scene.evidence().is_empty());
}
