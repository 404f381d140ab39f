//! What is a node? containerd on the lab's host, in mount and pid namespaces of its own that go with it and all that it starts.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cri::{Cri, Done};
use crate::host;
use crate::machine::{EXAMPLES, Machine};
use crate::pod::{IMAGE, Wanted};
use crate::running::Held;
use crate::world::{LIMIT, PATH, Said, World, entries, said, text};

/// The runtime's part of the configuration, as users are given it.
const SNIPPET: &str = "kubernetes/containerd.toml";

/// Which of containerd's parts nobody needs here, some of which would write elsewhere.
const NEEDLESS: [&str; 6] = [
    "io.containerd.internal.v1.opt",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.overlayfs",
    "io.containerd.snapshotter.v1.zfs",
];

/// A node of a cluster without a cluster.
pub struct Node {
    pub machine: Machine,
    pub cri: Cri,
    daemon: Daemon,
}

/// Whether whoever runs the test can have a node. It takes root, and containerd starts for nobody else.
pub fn can_be_had() -> bool {
    if host::is_root() {
        return true;
    }
    let world = World::new();
    let own = |name: &str| text(&world.path(name)).to_owned();
    let said = said(world.program("containerd").args(["--root", &own("root"), "--state", &own("state")]));
    assert!(said.code != 0 && said.err.contains("permission denied"), "{said:?}");
    false
}

/// containerd, and the first process of its namespaces.
struct Daemon {
    child: Child,
    first: Held,
    told: Arc<Mutex<String>>,
}

impl Node {
    pub fn new() -> Node {
        let machine = Machine::new();
        fs::create_dir_all(machine.path("/etc/cni")).unwrap();
        fs::write(machine.path("/etc/cni/net.conflist"), network().to_string()).unwrap();
        let image = archive(&machine.world);
        // The first one has no CRI, which learns of an image that comes later only after a while.
        let first = Daemon::start(&machine, &["io.containerd.grpc.v1.cri"], "containerd successfully booted");
        let import =
            ["-n", "k8s.io", "images", "import", "--snapshotter", "native", "--base-name", "lab.example/busybox"];
        said(first.enter(&machine.world, "ctr").args(import).arg(image)).ok();
        first.end();
        let daemon = Daemon::start(&machine, &[], "Start streaming server");
        let cri = Cri::connect(&daemon.root().join("run/containerd/containerd.sock"));
        // The line comes a moment before what it tells of.
        let begun = Instant::now();
        while let Err(status) = cri.ask::<Done, Done>("Status", Done {}) {
            assert!(begun.elapsed() < LIMIT, "{status:?}");
        }
        Node { machine, cri, daemon }
    }

    /// What a pod with this runtime handler is to be.
    pub fn pod(&self, handler: &str, name: &str) -> Wanted {
        Wanted::new(&self.machine.group(), handler, name)
    }

    /// `bottle` as the node's administrator calls it.
    pub fn bottle(&self, words: &[&str]) -> Said {
        said(self.daemon.enter(&self.machine.world, "/usr/local/bin/bottle").args(words))
    }

    /// What is on record of the bottles that live.
    pub fn living(&self) -> Vec<Value> {
        serde_json::from_str(self.bottle(&["ps", "--json"]).ok()).unwrap()
    }

    /// The directories of evidence as the node sees them, one for each bottle that there was.
    pub fn evidence(&self) -> Vec<PathBuf> {
        let runs = Path::new("/var/lib/bottle/runs");
        let found = fs::read_dir(self.machine.path(text(runs))).into_iter().flatten().flatten();
        found.map(|entry| runs.join(entry.file_name())).collect()
    }

    /// The log of the one bottle that there was, which verifies with its attestation.
    pub fn verified(&self) -> Vec<Value> {
        let [directory] = <[PathBuf; 1]>::try_from(self.evidence()).unwrap();
        let (log, attestation) = (directory.join("audit.jsonl"), directory.join("attestation.json"));
        self.bottle(&["attest", "verify", text(&attestation)]).ok();
        self.bottle(&["audit", "verify", text(&log), "--attestation", text(&attestation)]).ok();
        entries(&self.machine.path(text(&log)))
    }

    /// Asserts that of pods and bottles nothing is left: no process but containerd's, record, namespace or network.
    pub fn assert_nothing_left(&self) {
        let begun = Instant::now();
        loop {
            let mut left = self.processes();
            left.retain(|(_, name)| !["sh", "containerd"].contains(&name.as_str()));
            let Some((pid, name)) = left.first() else { break };
            assert!(begun.elapsed() < LIMIT, "{name} is left");
            if let Some(process) = Held::find(*pid) {
                process.ends_within(Duration::from_secs(1));
            }
        }
        for place in ["run/bottle/containers", "run/bottle/records", "run/netns", "run/containerd/runc/k8s.io"] {
            let left = fs::read_dir(self.daemon.root().join(place)).into_iter().flatten().count();
            assert_eq!(left, 0, "{place}");
        }
    }

    /// All processes of the node's, by their first argument.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let space = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let nodes = space(self.daemon.first.pid);
        let all = host::processes().into_iter().filter(|pid| space(*pid) == nodes);
        all.map(|pid| (pid, host::first_argument(pid))).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.daemon.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.daemon.told.lock().unwrap());
        }
    }
}

impl Daemon {
    /// Starts containerd without some of its parts, and waits for the line that says that it serves.
    fn start(machine: &Machine, without: &[&str], ready: &str) -> Daemon {
        fs::write(machine.path("/etc/containerd/config.toml"), configuration(without)).unwrap();
        // The shell takes the place of init: whoever loses its parent is its child.
        let script = format!("{} || exit; containerd --log-level info & wait", machine.dress());
        let mut command = machine.world.privileged("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script]);
        let mut child = command.env_remove("BOTTLE_ROOT").stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut told = String::new();
        while !told.contains(ready) {
            let line = lines.next().unwrap_or_else(|| panic!("containerd does not start: {told}"));
            told += &format!("{line}\n");
        }
        let first = host::children(child.id());
        let told = Arc::new(Mutex::new(told));
        let more = told.clone();
        std::thread::spawn(move || lines.for_each(|line| *more.lock().unwrap() += &format!("{line}\n")));
        Daemon { child, first: Held::new(first[0]), told }
    }

    /// The root that the node's processes see.
    fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.first.pid))
    }

    /// A program among the node's files and processes.
    fn enter(&self, world: &World, program: &str) -> Command {
        let mut command = world.privileged("nsenter");
        command.args(["--mount", "--pid", "--target", &self.first.pid.to_string(), program]);
        command.env("PATH", PATH).env_remove("BOTTLE_ROOT");
        command
    }

    /// Ends it, and all that it has started.
    fn end(mut self) {
        self.kill();
    }

    fn kill(&mut self) {
        // Whoever is in the namespace ends before its first process has.
        self.first.signal_if_alive(Signal::KILL);
        self.first.ends_within(LIMIT);
        let _ = self.child.wait();
    }
}

fn configuration(without: &[&str]) -> String {
    let disabled: Vec<&str> = NEEDLESS.iter().chain(without).copied().collect();
    let own = format!(
        r#"
version = 2
disabled_plugins = {disabled:?}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{IMAGE}"
  # Where root may not lower it.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"#
    );
    own + &fs::read_to_string(Path::new(EXAMPLES).join(SNIPPET)).unwrap()
}

/// What a cluster has as its pods' network; behind an airlock nothing of it is seen.
fn network() -> serde_json::Value {
    let ipam = json!({"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]]});
    json!({"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": ipam}]})
}

/// The tests' busybox as an archive that sleeps.
fn archive(world: &World) -> PathBuf {
    let images = std::env::var_os("BOTTLE_IMAGES").expect("tests/run says where the images are");
    let (layout, archive) = (world.path("busybox"), world.path("busybox.tar"));
    said(world.program("cp").arg("-r").arg(Path::new(&images).join("busybox")).arg(&layout)).ok();
    let image = format!("{}:t", text(&layout));
    let sleeps = ["config", "--image", &image, "--config.cmd", "sleep", "--config.cmd", "1000000"];
    said(world.program("umoci").args(sleeps)).ok();
    said(world.program("tar").args(["-C", text(&layout), "-cf", text(&archive), "."])).ok();
    archive
}
