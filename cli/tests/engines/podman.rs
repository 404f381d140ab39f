//! Do the hooks work for podman, as root and as an ordinary user, who has a user namespace of podman's with a range of ids?
//!
//! Root becomes that user too, on the lab's host. An ordinary user's test runs beside the lab, where nothing can be reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::json;

use crate::bundle::{Bundle, outside};
use crate::host;
use crate::others::{SEES, with_new_groups};
use crate::running::Held;
use crate::scene::{Scene, Who};
use crate::world::{Said, said, text};

/// The user that `tests/run` makes.
const USER: &str = "bottle-test";

/// A scene for each who can call podman here.
pub fn each(test: impl Fn(&Scene, &Who)) {
    let all = if host::is_root() { vec![Who::Tester, Who::User(USER.into())] } else { vec![Who::Beside] };
    all.iter().for_each(|who| test(&Scene::of(who.clone()), who));
}

/// podman with a store and hooks of its own. What it leaves of control groups goes with this value.
pub struct Podman<'a> {
    scene: &'a Scene,
    who: &'a Who,
    hooks: PathBuf,
    /// podman takes no more than 50 characters here.
    run: tempfile::TempDir,
    before: Vec<PathBuf>,
    runtime: PathBuf,
    /// One by which no socket of AF_VSOCK is opened, where the hooks demand it.
    pub profile: Option<PathBuf>,
}

impl Podman<'_> {
    pub fn new<'a>(scene: &'a Scene, who: &'a Who) -> Podman<'a> {
        Podman::on("runc", scene, who)
    }

    fn on<'a>(runtime: &'static str, scene: &'a Scene, who: &'a Who) -> Podman<'a> {
        let (hooks, settings) = (scene.path("hooks.d"), scene.path("hooks.json"));
        let words = ["hook", "install", "--directory", text(&hooks), "--settings", text(&settings)];
        said(&mut scene.world.bottle(&words)).ok();
        for entry in fs::read_dir(&hooks).unwrap() {
            let path = entry.unwrap().path();
            let mut hook: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            // For this test's state to be its own.
            hook["hook"]["env"] = json!([format!("BOTTLE_ROOT={}", text(&scene.path("state")))]);
            fs::write(&path, hook.to_string()).unwrap();
        }
        let profile = scene.path("seccomp.json");
        let made = said(&mut scene.world.bottle(&["hook", "seccomp", "/usr/share/containers/seccomp.json"]));
        fs::write(&profile, made.ok()).unwrap();
        let mut podman = Podman::of(Path::new(runtime), scene, who, hooks);
        podman.profile = Some(profile);
        podman
    }

    /// One that calls no hooks, and another runtime.
    pub fn without_hooks<'a>(runtime: &Path, scene: &'a Scene, who: &'a Who) -> Podman<'a> {
        let hooks = scene.path("no-hooks.d");
        fs::create_dir(&hooks).unwrap();
        Podman::of(runtime, scene, who, hooks)
    }

    fn of<'a>(runtime: &Path, scene: &'a Scene, who: &'a Who, hooks: PathBuf) -> Podman<'a> {
        let run = tempfile::tempdir_in("/tmp").unwrap();
        fs::create_dir(scene.path("podman")).unwrap();
        if *who != Who::Beside {
            own(who, &[run.path(), &scene.path("podman")]);
        }
        Podman { scene, who, hooks, run, before: groups(), runtime: runtime.to_owned(), profile: None }
    }

    fn is_crun(&self) -> bool {
        self.runtime == Path::new("crun")
    }

    pub fn command(&self) -> Command {
        let mut podman = if self.is_crun() && *self.who != Who::Beside {
            let mut shown = with_new_groups(self.scene, self.who);
            shown.arg("podman");
            shown
        } else {
            self.scene.program("podman")
        };
        podman.arg("--root").arg(self.scene.path("podman")).arg("--hooks-dir").arg(&self.hooks);
        podman.arg("--runroot").arg(self.run.path()).env("XDG_RUNTIME_DIR", self.run.path());
        podman.arg("--runtime").arg(&self.runtime).args(["--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
        podman
    }

    /// A script in the root of a bundle, which root's containers see through ids of their own. An ordinary user's are in the user
    /// namespace that its podman has made.
    pub fn script(&self, bundle: &Bundle, options: &[&str], script: &str) -> Command {
        let (first, size) = outside();
        let mut run = self.command();
        run.args(["run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]);
        if self.is_crun() {
            // Those that it is shown have no controllers.
            run.arg("--cgroups=disabled");
        }
        if !options.iter().any(|option| option.starts_with("--network")) {
            run.arg("--network=none");
        }
        if host::is_root() && *self.who == Who::Tester {
            run.arg(format!("--uidmap=0:{first}:{size}"));
        } else {
            own(self.who, &[&bundle.place]);
        }
        if let Some(profile) = &self.profile {
            run.arg(format!("--security-opt=seccomp={}", text(profile)));
        }
        run.args(options).arg("--rootfs").arg(bundle.place.join("rootfs")).args(["sh", "-c", script]);
        run
    }

    fn run(&self, bundle: &Bundle, options: &[&str]) -> Said {
        said(&mut self.script(bundle, options, SEES))
    }
}

/// What is there is made a user's.
fn own(who: &Who, paths: &[&Path]) {
    let Who::User(name) = who else { return };
    assert!(Command::new("chown").args(["-R", &format!("{name}:{name}")]).args(paths).status().unwrap().success());
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

/// Of every container, whatever the settings say of others.
const ANNOTATED: [&str; 2] = ["--annotation", "bottle.mode=enforce"];

#[test]
fn a_container_of_podmans_gets_an_airlock_by_its_annotation_and_none_without() {
    each(|scene, who| {
        scene.settings(&json!({"unannotated": "left-alone"}));
        let podman = Podman::new(scene, who);
        let bundle = scene.bundle("");
        assert_eq!(podman.run(&bundle, &[]).ok().trim(), "lo");
        assert!(scene.evidence().is_empty());
        assert_eq!(podman.run(&bundle, &ANNOTATED).ok().trim(), "eth0 lo");
        let refused = podman.run(&bundle, &["--annotation", "bottle.policy=missing.yaml"]);
        assert!(refused.code != 0 && refused.out.is_empty() && refused.err.contains("missing.yaml"), "{refused:?}");
        // podman leaves out a hook whose program is gone, and says nothing: no hook of ours can help that. There is no way out with
        // `--network none`; docs/engines.md says so.
        let hook = json!({"path": "/nowhere/bottle"});
        let gone = json!({"version": "1.0.0", "hook": hook, "when": {"always": true}, "stages": ["createRuntime"]});
        fs::write(podman.hooks.join("zz-bottle-create.json"), gone.to_string()).unwrap();
        assert_eq!(podman.run(&bundle, &ANNOTATED).ok().trim(), "lo");
        drop(podman);
        scene.assert_nothing_left();
        scene.verified();
    });
}

#[test]
fn a_container_of_podmans_reaches_what_its_policy_names_and_nothing_else() {
    each(|scene, who| {
        scene.policy("ssh.yaml", "domains:\n  - pattern: \"ssh.lab.example\"\n    ports: [22]\n    protocol: tcp\n");
        let podman = Podman::new(scene, who);
        let script = "busybox nc ssh.lab.example 22 </dev/null | busybox head -c 15; echo;
            busybox nc web.lab.example 7 </dev/null || echo refused; busybox nc 11.6.6.6 443 </dev/null; echo over";
        let bundle = scene.bundle("");
        let said = said(&mut podman.script(&bundle, &["--annotation", "bottle.policy=ssh.yaml"], script));
        let reached = if *who == Who::Beside { "" } else { "SSH-2.0-lab_1.0" };
        assert_eq!(said.ok(), format!("{reached}\nrefused\nover\n"), "{said:?}");
        drop(podman);
        scene.assert_nothing_left();
        let log = scene.verified();
        let decided = |what: &str| log.iter().any(|entry| entry["kind"] == "decision" && entry["decision"] == what);
        assert!(decided("allow") && decided("deny"), "{log:?}");
        assert_eq!(scene.world.lab.received("ssh").unwrap().len(), usize::from(*who != Who::Beside));
        assert!(scene.world.lab.received("echo").unwrap().is_empty());
        assert!(scene.world.lab.received("collector").unwrap().is_empty());
    });
}

#[test]
fn the_helpers_of_a_users_container_have_ids_of_podmans_that_are_nobody_elses() {
    each(|scene, who| {
        let podman = Podman::new(scene, who);
        podman.run(&scene.bundle(""), &ANNOTATED).ok();
        drop(podman);
        scene.assert_nothing_left();
        scene.verified();
        let facts = scene.facts();
        let uids = |who: &str| facts[format!("{who}.process")]["value"]["uids"].as_str().unwrap().to_owned();
        let ids = ["gate", "dialler", "init"].map(uids);
        assert!(ids.iter().all(|uids| !uids.split(' ').any(|uid| uid == "0")), "{ids:?}");
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
        let user = match who {
            Who::Tester => None,
            Who::User(name) => Some(nix::unistd::User::from_name(name).unwrap().unwrap().uid.as_raw()),
            Who::Beside => Some(rustix::process::geteuid().as_raw()),
        };
        assert_eq!(facts["workload.engine"]["value"]["user"], json!(user));
        // What was not seen is not claimed.
        let seen = facts["agent.processes"]["how"].as_str().unwrap();
        assert_eq!(seen.contains("are hidden from the caller"), user.is_some(), "{seen}");
    });
}

#[test]
fn a_container_of_podmans_ends_with_what_guards_it_and_by_its_name() {
    // An ordinary user has no power over the others' ids.
    let roles: &[(&str, Signal)] = if host::is_root() {
        &[
            ("bottle-gate", Signal::KILL),
            ("bottle-dialler", Signal::KILL),
            ("bottle-warden", Signal::KILL),
            ("bottle-keeper", Signal::KILL),
            ("bottle-keeper", Signal::STOP),
            ("", Signal::KILL),
        ]
    } else {
        &[("", Signal::KILL)]
    };
    for (role, signal) in roles {
        each(|scene, who| {
            let podman = Podman::new(scene, who);
            let options = ["--interactive", "--annotation", "bottle.name=boxed"];
            let bundle = scene.bundle("");
            let contained = scene.contained(podman.script(&bundle, &options, "echo ready; read -r line; exit 7"));
            if role.is_empty() {
                said(&mut scene.bottle(&["stop", "-t", "1", "boxed"])).ok();
            } else {
                let helpers = host::children(contained.supervisor.pid);
                let helper = helpers.into_iter().find(|pid| host::first_argument(*pid) == *role);
                Held::new(helper.unwrap_or_else(|| panic!("no {role}"))).signal(*signal);
            }
            assert_eq!(contained.end().code, 137, "{role}");
            drop(podman);
            scene.assert_nothing_left();
            scene.verified();
        });
    }
}

#[test]
fn a_container_of_podmans_is_attested_again_while_it_runs() {
    each(|scene, who| {
        let podman = Podman::new(scene, who);
        let options = ["--interactive", "--annotation", "bottle.name=boxed"];
        let bundle = scene.bundle("");
        let contained = scene.contained(podman.script(&bundle, &options, "echo ready; read -r line; exit 7"));
        let nonce = "a".repeat(64);
        let renewed = said(&mut scene.bottle(&["attest", "renew", "boxed", "--nonce", &nonce]));
        let path = scene.path("renewed.json");
        fs::write(&path, renewed.ok()).unwrap();
        let demands = ["attest", "verify", text(&path), "--nonce", &nonce, "--running", "boxed"];
        said(&mut scene.bottle(&demands)).ok();
        assert_eq!(contained.finish().code, 7);
        drop(podman);
        scene.assert_nothing_left();
        scene.verified();
    });
}

#[test]
fn a_container_of_podmans_that_is_not_apart_from_the_host_does_not_run() {
    each(|scene, who| {
        let podman = Podman::new(scene, who);
        for (option, why) in [
            ("--network=host", "no network namespace"),
            ("--pid=host", "no pid namespace"),
            ("--cap-add=NET_ADMIN", "CAP_NET_ADMIN"),
            ("--cap-add=SYS_ADMIN", "CAP_SYS_ADMIN"),
        ] {
            let said = podman.run(&scene.bundle(""), &[option, ANNOTATED[0], ANNOTATED[1]]);
            assert!(said.code != 0 && said.out.is_empty() && said.err.contains(why), "{option}: {said:?}");
        }
        drop(podman);
        scene.assert_nothing_left();
        assert!(scene.evidence().is_empty());
    });
}

/// An ordinary user is the same inside by one of its own within podman's.
#[test]
fn a_container_in_a_user_namespace_within_podmans_has_the_same_airlock() {
    each(|scene, who| {
        // Root's containers here have one of their own in any case.
        let option = if *who == Who::Tester { "--init=false" } else { "--userns=keep-id" };
        let podman = Podman::new(scene, who);
        let said = podman.run(&scene.bundle(""), &[option, ANNOTATED[0], ANNOTATED[1]]);
        assert_eq!(said.ok().trim(), "eth0 lo", "{said:?}");
        drop(podman);
        scene.assert_nothing_left();
        scene.verified();
    });
}

#[test]
fn podman_on_crun_has_the_same_airlock() {
    each(|scene, who| {
        let podman = Podman::on("crun", scene, who);
        let said = podman.run(&scene.bundle(""), &ANNOTATED);
        if *who == Who::Beside && said.err.contains("hybrid") {
            // Nobody but root may mount the control groups that crun wants to see.
            assert!(said.code != 0 && said.out.is_empty() && scene.evidence().is_empty(), "{said:?}");
            return;
        }
        assert_eq!(said.ok().trim(), "eth0 lo", "{said:?}");
        drop(podman);
        scene.assert_nothing_left();
        scene.verified();
    });
}
