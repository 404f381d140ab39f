//! Does an airlock hold around containers of Docker's, which has no hooks? Its daemon in a sealed world, with `bottle-oci` as a runtime.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::host;
use crate::machine::Machine;
use crate::running::Held;
use crate::world::{LIMIT, Said, World, entries, said, text};

const IMAGE: &str = "lab.example/busybox:t";

/// As the documentation says it.
const DAEMON: &str = r#"{"runtimes": {"bottle": {"path": "/usr/local/bin/bottle-oci"}}}"#;

/// It writes no packet rules; its bridge is in the lab.
const SERVE: &str = "--iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    --userland-proxy=false --storage-driver=vfs";

const WEB: &str = "domains:\n  - pattern: \"web.lab.example\"\n    ports: [443]\n";

const FETCH: &str = "export PATH=/usr/bin; ls /sys/class/net | grep -v ifb;
    curl -sS --cacert /etc/lab/ca.pem -o /dev/null -w '%{http_code}\\n' https://web.lab.example/;
    curl -sS --cacert /etc/lab/ca.pem https://evil.attacker.example/ 2>/dev/null; echo $?; exit 7";
const FETCHED: &str = "eth0\nlo\n200\n6\n";

/// A machine with Docker.
struct Docker {
    /// Dropped first: the machine's control groups are removed when nobody is in them any more.
    daemon: Daemon,
    machine: Machine,
    programs: PathBuf,
}

impl Docker {
    /// Nothing where an ordinary user runs the test: the daemon starts for root alone.
    fn new() -> Option<Docker> {
        let programs =
            PathBuf::from(std::env::var_os("BOTTLE_DOCKER").expect("tests/run says where Docker's programs are"));
        let dockerd = programs.join("sbin/dockerd");
        if !host::is_root() {
            let said = said(&mut World::new().program(text(&dockerd)));
            assert!(said.code != 0 && said.err.contains("needs to be started with root"), "{said:?}");
            return None;
        }
        let machine = Machine::new();
        machine.policy("web.yaml", WEB);
        machine.settings(&json!({"unannotated": "bottled", "policy": "web.yaml", "allow": ["host-user"]}));
        fs::create_dir_all(machine.path("/etc/docker")).unwrap();
        fs::write(machine.path("/etc/docker/daemon.json"), DAEMON).unwrap();
        let (place, group) = (machine.world.path("docker"), machine.group());
        let serve = format!(
            "{} {SERVE} --cgroup-parent /{group} --data-root {1}/data --exec-root {1}/run --pidfile {1}/pid; exit",
            text(&dockerd),
            text(&place)
        );
        let daemon = Daemon::start(&machine, &serve, "API listen on");
        let docker = Docker { machine, daemon, programs };
        let images = std::env::var("BOTTLE_IMAGES").expect("tests/run says where the images are");
        let archive = docker.machine.world.path("busybox.tar");
        let to = format!("docker-archive:{}:{IMAGE}", text(&archive));
        said(docker.machine.world.program("skopeo").args(["copy", &format!("oci:{images}/busybox:t"), &to])).ok();
        docker.call(&["load", "--input", text(&archive)]).ok();
        Some(docker)
    }

    fn call(&self, words: &[&str]) -> Said {
        let mut docker = self.machine.world.privileged(text(&self.programs.join("bin/docker")));
        said(docker.args(words))
    }

    /// Runs a script of bash's in a container of this runtime, with the host's programs.
    fn run(&self, options: &[&str], script: &str) -> Said {
        let programs = ["/usr:/usr:ro", "/usr/lib:/lib:ro", "/usr/lib64:/lib64:ro", "/run/lab:/etc/lab:ro"];
        let mut words = vec!["run"];
        words.extend(programs.iter().flat_map(|shown| ["--volume", shown]));
        words.extend(options.iter().chain(&[IMAGE, "/usr/bin/bash", "-c", script]));
        self.call(&words)
    }

    fn logs(&self) -> Vec<Vec<Value>> {
        let runs = fs::read_dir(self.machine.path("/var/lib/bottle/runs")).into_iter().flatten().flatten();
        runs.map(|run| entries(&run.path().join("audit.jsonl"))).collect()
    }

    fn assert_nothing_left(&self) {
        self.daemon.assert_alone(&["sh", text(&self.programs.join("sbin/dockerd")), "containerd"]);
        assert_eq!(self.call(&["ps", "--all", "--quiet"]).ok(), "");
        for place in ["run/bottle/containers", "run/bottle/records"] {
            let left = fs::read_dir(self.daemon.root().join(place)).into_iter().flatten().count();
            assert_eq!(left, 0, "{place}");
        }
    }
}

fn has_ended(log: &[Value]) -> bool {
    log.iter().filter(|entry| entry["kind"] == "run.end").count() == 1
}

const BOTTLED: [&str; 5] = ["--rm", "--runtime", "bottle", "--network", "none"];

/// The options of a bottle, without a network where others name one.
fn bottled(options: &[&str]) -> Vec<&'static str> {
    let own = if options.contains(&"--network") { 3 } else { BOTTLED.len() };
    BOTTLED[..own].to_vec()
}

#[test]
fn a_container_of_dockers_reaches_what_the_policy_names_and_nothing_else_and_leaves_its_log() {
    let Some(docker) = Docker::new() else { return };
    let run = docker.run(&BOTTLED, FETCH);
    assert_eq!((run.code, run.out.as_str()), (7, FETCHED), "{run:?}");
    assert_eq!(docker.machine.world.lab.received("web").unwrap().len(), 1);
    assert!(docker.machine.world.lab.received("collector").unwrap().is_empty());
    docker.assert_nothing_left();
    let [log] = <[Vec<Value>; 1]>::try_from(docker.logs()).unwrap();
    assert!(has_ended(&log), "{log:?}");
    // What Docker takes for the host's network is a path like any other, and the container has one of its own all the same.
    let run = docker.run(&["--rm", "--runtime", "bottle", "--network", "host", "--user", "1000"], FETCH);
    assert_eq!((run.code, run.out.as_str()), (7, FETCHED), "{run:?}");
    docker.assert_nothing_left();
}

#[test]
fn a_container_of_dockers_around_which_no_airlock_would_hold_does_not_start_and_its_user_is_told_why() {
    let Some(docker) = Docker::new() else { return };
    for (options, why) in [
        (&["--network", "bridge"][..], "has a network already"),
        (&["--privileged"], "CAP_SYS_ADMIN"),
        (&["--cap-add", "NET_ADMIN"], "CAP_NET_ADMIN"),
        (&["--pid", "host"], "no pid namespace of its own"),
        (&["--ipc", "host"], "no ipc namespace of its own"),
        (&["--device", "/dev/kmsg"], "the device c 1:11"),
        (&["--volume", "/run/docker.sock:/engine"], "/run/docker.sock"),
        (&["--volume", "/var/run:/engine:ro"], "/run/docker.sock"),
    ] {
        let run = docker.run(&[&bottled(options)[..], options].concat(), "echo ran");
        assert!(run.code == 125 && run.out.is_empty() && run.err.contains(why), "{why}: {run:?}");
        docker.assert_nothing_left();
    }
    assert!(docker.logs().is_empty());
}

#[test]
fn a_container_of_dockers_is_entered_started_again_and_joined_behind_its_airlock_and_what_joined_it_ends_with_it() {
    let Some(docker) = Docker::new() else { return };
    let detached = ["--detach", "--init=false", "--runtime", "bottle", "--network", "none", "--name", "one"];
    docker.run(&detached, "/usr/bin/sleep 1000000; exit").ok();
    assert_eq!(docker.call(&["exec", "one", "/usr/bin/bash", "-c", FETCH]).out, FETCHED);
    docker.call(&["restart", "--time", "0", "one"]).ok();
    assert_eq!(docker.call(&["exec", "one", "/usr/bin/bash", "-c", FETCH]).out, FETCHED);
    let joining = ["--detach", "--runtime", "bottle", "--network", "container:one", "--name", "two"];
    docker.run(&joining, "/usr/bin/sleep 1000000; exit").ok();
    assert_eq!(docker.call(&["exec", "two", "/usr/bin/bash", "-c", FETCH]).out, FETCHED);
    let sleeping = docker.daemon.processes().into_iter().filter(|(_, name)| name == "/usr/bin/bash");
    let sleeping: Vec<Held> = sleeping.map(|(pid, _)| Held::new(pid)).collect();
    assert_eq!(sleeping.len(), 2);
    docker.call(&["stop", "--time", "0", "one"]).ok();
    sleeping.iter().for_each(|process| assert!(process.ends_within(LIMIT), "{process:?}"));
    let begun = Instant::now();
    while docker.call(&["ps", "--quiet"]).ok() != "" {
        assert!(begun.elapsed() < LIMIT, "Docker does not see it");
    }
    docker.call(&["rm", "one", "two"]).ok();
    docker.assert_nothing_left();
    let logs = docker.logs();
    assert!(logs.len() == 2 && logs.iter().all(|log| has_ended(log)), "{logs:?}");
}

#[test]
fn the_documentation_says_what_docker_is_told_in_these_tests() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/engines.md");
    assert!(fs::read_to_string(page).unwrap().contains(DAEMON));
}
