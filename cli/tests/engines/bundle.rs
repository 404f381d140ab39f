//! What is started? A bundle with busybox, the host's programs read-only, and bottle's hooks; a test changes what it is about.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::{BOTTLE, text};

/// The first of the ids that a container has outside, and how many: root's are nobody's here, an ordinary user's is its own.
pub fn outside() -> (u32, u32) {
    let own = rustix::process::geteuid().as_raw();
    if own == 0 { (1_500_000_000, 65536) } else { (own, 1) }
}

/// What an ordinary container may do.
const USUAL: [&str; 8] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
];

/// A directory with a root file system and a configuration.
pub struct Bundle {
    pub place: PathBuf,
    pub configuration: Value,
}

impl Bundle {
    /// Which executes a script of busybox's shell, and whose hooks have these settings and keep their state there.
    pub fn new(place: &Path, script: &str, settings: &Path, state: &Path) -> Bundle {
        let root = place.join("rootfs");
        let (first, _) = outside();
        for directory in ["", "bin", "dev", "etc", "lib64", "proc", "sys", "tmp", "tmp/shared", "usr"] {
            fs::create_dir_all(root.join(directory)).unwrap();
            chown(root.join(directory), Some(first), Some(group(first))).unwrap();
        }
        fs::copy("/usr/bin/busybox", root.join("bin/busybox")).unwrap();
        // What is mounted there is another's.
        fs::write(root.join("tmp/socket"), "").unwrap();
        symlink("busybox", root.join("bin/sh")).unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        for path in [place, &root] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let configuration = configuration(script, settings, state);
        Bundle { place: place.to_owned(), configuration }
    }

    /// Writes what the engine reads.
    pub fn write(&self) {
        fs::write(self.place.join("config.json"), self.configuration.to_string()).unwrap();
    }

    pub fn annotate(&mut self, name: &str, value: &str) {
        self.configuration["annotations"][name] = json!(value);
    }

    /// A file of the container's.
    pub fn file(&self, name: &str, content: &str) {
        fs::write(self.place.join("rootfs").join(name), content).unwrap();
    }

    /// Adds a hook of somebody else's.
    pub fn hook(&mut self, stage: &str, at: usize, script: &str) {
        let hooks = self.configuration["hooks"].as_object_mut().unwrap();
        let hooks = hooks.entry(stage).or_insert_with(|| json!([])).as_array_mut().unwrap();
        let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
        hooks.insert(at, json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": [path]}));
    }

    /// The host's file or directory there, inside.
    pub fn bind(&mut self, source: &Path, target: &str, options: &[&str]) {
        let options: Vec<&str> = ["rbind", "rprivate"].iter().chain(options).copied().collect();
        let mount = json!({"destination": target, "type": "bind", "source": text(source), "options": options});
        self.configuration["mounts"].as_array_mut().unwrap().push(mount);
    }

    /// The list of namespaces without one kind, or with one that is there already.
    pub fn namespace(&mut self, kind: &str, path: Option<&str>) {
        let namespaces = self.configuration["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != kind);
        namespaces.extend(path.map(|path| json!({"type": kind, "path": path})));
    }
}

/// The gid that goes with it.
fn group(first: u32) -> u32 {
    let own = rustix::process::getegid().as_raw();
    if own == 0 { first } else { own }
}

fn configuration(script: &str, settings: &Path, state: &Path) -> Value {
    let hook = |words: &[&str]| {
        let args: Vec<&str> = ["bottle", "hook"].iter().chain(words).copied().collect();
        let root = format!("BOTTLE_ROOT={}", text(state));
        json!({"path": BOTTLE, "args": args, "env": [root, "RUST_BACKTRACE=1"], "timeout": 120})
    };
    let kinds = ["pid", "ipc", "uts", "mount", "network", "user"];
    let (first, size) = outside();
    let mapping = |first: u32| json!([{"containerID": 0, "hostID": first, "size": size}]);
    let usual = json!({"bounding": USUAL, "effective": USUAL, "permitted": USUAL});
    let mount = |destination: &str, kind: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": kind, "options": options});
    let mut mounts = vec![
        mount("/proc", "proc", &[]),
        mount("/dev", "tmpfs", &["nosuid", "mode=755", "size=64k"]),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    ];
    for shown in ["/usr", "/lib64"] {
        let options = ["rbind", "rprivate", "ro"];
        mounts.push(json!({"destination": shown, "type": "bind", "source": shown, "options": options}));
    }
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh", "-c", script],
            "env": ["PATH=/bin:/usr/bin:/usr/sbin", "HOME=/tmp"],
            "cwd": "/",
            "capabilities": usual,
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs", "readonly": false},
        "hostname": "engines",
        "mounts": mounts,
        "annotations": {},
        "hooks": {
            "createRuntime": [hook(&["create", "--settings", text(settings)])],
            "poststop": [hook(&["stop"])],
        },
        "linux": {
            "namespaces": kinds.map(|kind| json!({"type": kind})),
            "uidMappings": mapping(first),
            "gidMappings": mapping(group(first)),
            "seccomp": without_vsock(),
        },
    })
}

/// What is demanded of every filter, and no more.
pub fn without_vsock() -> Value {
    let is_vsock = json!({"index": 0, "value": u32::MAX, "valueTwo": libc::AF_VSOCK, "op": "SCMP_CMP_MASKED_EQ"});
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [is_vsock]},
        {"names": ["io_uring_setup", "socketcall"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
    ]})
}
