//! What is a node? containerd on the lab's host, in mount and pid namespaces of its own that go with it and all that it starts.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::host;
use crate::machine::{CLOSE, EXAMPLES, Machine};
use crate::running::Held;
use crate::world::{LIMIT, Said, World, entries, said, text};
use bottle_cri::Attached;
use bottle_cri::{Cri, Done, Streams};
use bottle_cri::{IMAGE, Wanted};

/// The runtime's part of the configuration, as users are given it.
const SNIPPET: &str = "kubernetes/containerd.toml";

/// Its last line before it serves.
const SERVES: &str = "Start streaming server";

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
    /// Dropped first: the machine's control groups are removed when nobody is in them any more.
    daemon: Daemon,
    pub machine: Machine,
    pub cri: Cri,
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

impl Node {
    pub fn new() -> Node {
        Node::on(Machine::new())
    }

    /// With this one's files.
    pub fn on(machine: Machine) -> Node {
        fs::create_dir_all(machine.path("/etc/cni")).unwrap();
        fs::write(machine.path("/etc/cni/net.conflist"), network().to_string()).unwrap();
        let image = archive(&machine.world);
        // The first one has no CRI, which learns of an image that comes later only after a while.
        let first = containerd(&machine, &["io.containerd.grpc.v1.cri"], "containerd successfully booted");
        let import =
            ["-n", "k8s.io", "images", "import", "--snapshotter", "native", "--base-name", "lab.example/busybox"];
        said(first.enter(&machine.world, "ctr").args(import).arg(image)).ok();
        first.end();
        let daemon = containerd(&machine, &[], SERVES);
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

    /// Closes what programs were installed.
    pub fn close(&self) {
        let [program, words @ ..] = CLOSE;
        said(self.daemon.enter(&self.machine.world, program).args(words)).ok();
    }

    /// Kills containerd, and waits until it serves again.
    pub fn restart(&self) {
        let before = self.daemon.told(SERVES);
        let daemon = self.processes().into_iter().find(|(_, name)| name == "containerd").unwrap();
        Held::new(daemon.0).signal(Signal::KILL);
        let begun = Instant::now();
        while self.daemon.told(SERVES) == before || self.cri.ask::<Done, Done>("Status", Done {}).is_err() {
            assert!(begun.elapsed() < LIMIT, "it does not serve again");
        }
    }

    /// Streams that containerd serves, on the loopback of the lab's host.
    pub fn attach(&self, streams: &Streams) -> Attached<Wire> {
        Attached::open(streams, |host, port| {
            let mut connect = self.machine.world.program("timeout");
            connect.args(["60", "busybox", "nc", host, &port.to_string()]);
            Wire(connect.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
        })
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

    /// The entries of the log that was begun last.
    pub fn newest_log(&self) -> Vec<Value> {
        let logs = self.evidence().into_iter().map(|directory| self.machine.path(text(&directory.join("audit.jsonl"))));
        let newest = logs.max_by_key(|log| fs::metadata(log.parent().unwrap()).unwrap().created().unwrap());
        entries(&newest.unwrap())
    }

    /// Asserts that of pods and bottles nothing is left: no process but containerd's, record, namespace or network.
    pub fn assert_nothing_left(&self) {
        self.daemon.assert_alone(&["sh", "containerd"]);
        for place in ["run/bottle/containers", "run/bottle/records", "run/netns", "run/containerd/runc/k8s.io"] {
            let left = fs::read_dir(self.daemon.root().join(place)).into_iter().flatten().count();
            assert_eq!(left, 0, "{place}");
        }
    }

    /// All processes of the node's, by their first argument.
    pub fn processes(&self) -> Vec<(u32, String)> {
        self.daemon.processes()
    }

    /// Those of this name that still live.
    pub fn held(&self, name: &str) -> Vec<Held> {
        let found = self.processes().into_iter().filter(|(_, other)| other == name);
        found.filter_map(|(pid, _)| Held::find(pid)).collect()
    }
}

/// A connection from inside the lab, by a program there.
pub struct Wire(Child);

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.stdout.as_mut().unwrap().read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.stdin.as_mut().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.stdin.as_mut().unwrap().flush()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts containerd without some of its parts, and again if it is killed.
fn containerd(machine: &Machine, without: &[&str], ready: &str) -> Daemon {
    fs::write(machine.path("/etc/containerd/config.toml"), configuration(without)).unwrap();
    let serve = "containerd --log-level info";
    Daemon::start(machine, &format!("{serve}; [ $? = 137 ] && {serve}; exit"), ready)
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
    let users = ["config", "--image", &image, "--tag", "user", "--config.user", "1000:1000"];
    said(world.program("umoci").args(users)).ok();
    said(world.program("tar").args(["-C", text(&layout), "-cf", text(&archive), "."])).ok();
    archive
}
