//! What does nothing refuse of a container? The input is laid over a configuration that is let pass, so that each part is read behind parts that are in
//! order. What passes has none of what is known to be hostile, and whatever it is, one hostile thing more is refused by its name.

use std::path::Path;

use bottle_runtime::hook::{Configuration, Refusal, Settings, refusals};
use serde_json::{Value, json};

use super::Reading;

/// By which our hook is told: whoever runs this.
const PROGRAM: &str = "/proc/self/exe";

/// What runtimes read of annotations (crun(1), runc's systemd properties, CRIU, krun, gVisor, Kata), and those of it that confine nothing less.
const READ: [&str; 7] =
    ["run.oci.", "krun.", "module.wasm.", "org.criu.", "org.systemd.property.", "dev.gvisor.", "io.katacontainers."];
const LET_BE: [&str; 5] = [
    "mount_context_type",
    "systemd.subgroup",
    "property.TimeoutStopUSec",
    "property.KillSignal",
    "property.CollectMode",
];

/// What settings of the kernel's that are a container's own begin with.
const SETTINGS: [&str; 7] =
    ["kernel.shm", "kernel.msg", "kernel.sem", "kernel.hostname", "kernel.domainname", "fs.mqueue.", "net."];

pub(super) fn read(bytes: &[u8]) -> Reading {
    let Ok(Value::Object(over)) = serde_json::from_slice(bytes) else { return Reading::Refused };
    let mut written = good();
    lay(&mut written, Value::Object(over));
    let Some(refused) = refused(&written) else { return Reading::Refused };
    if refused.is_empty() {
        assert_eq!(known_hostile(&written), None, "and nothing is refused: {written}");
    }
    for (what, is_it, made) in hostile(&written) {
        if let Some(found) = self::refused(&made) {
            assert!(found.iter().any(is_it), "{what} is not refused: {made}");
        }
    }
    refused.is_empty().into()
}

/// A configuration of which nothing is refused.
fn good() -> Value {
    let namespaces = ["pid", "ipc", "mount", "network", "user"].map(|kind| json!({"type": kind}));
    json!({
        "ociVersion": "1.0.2",
        "process": {"args": ["sh"], "cwd": "/", "capabilities": {"bounding": ["CAP_CHOWN"]}},
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "annotations": {"bottle.mode": "enforce"},
        "hooks": {"createRuntime": [{"path": PROGRAM, "args": ["bottle", "hook", "create"]}]},
        "linux": {
            "namespaces": namespaces,
            "sysctl": {"net.core.somaxconn": "7"},
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]},
        },
    })
}

/// Members of objects one by one, and all else as it is.
fn lay(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, member) in over {
                lay(under.entry(name).or_insert(Value::Null), member);
            }
        }
        (under, over) => *under = over,
    }
}

/// Nothing where it can't be read, which is a refusal too.
fn refused(written: &Value) -> Option<Vec<Refusal>> {
    let bytes = serde_json::to_vec(written).expect("it is JSON");
    let configuration = Configuration::parse(Path::new("/nowhere"), &bytes).ok()?;
    let (refused, passed) = refusals(&configuration, &Settings::default(), None, None, Path::new(PROGRAM));
    assert!(passed.is_empty(), "{passed:?}");
    Some(refused)
}

fn names(object: &Value) -> impl Iterator<Item = &str> {
    object.as_object().into_iter().flatten().map(|(name, _)| name.as_str())
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What is in it that nothing lets pass, said once more and otherwise than where it is refused.
fn known_hostile(written: &Value) -> Option<String> {
    let linux = &written["linux"];
    let kinds: Vec<&str> = items(&linux["namespaces"]).filter_map(|it| it["type"].as_str()).collect();
    let missing = ["pid", "ipc", "mount", "network", "user"].into_iter().find(|kind| !kinds.contains(kind));
    let setting = names(&linux["sysctl"]).find(|name| !SETTINGS.iter().any(|known| name.starts_with(known)));
    let annotation = names(&written["annotations"]).find(|name| {
        READ.iter().any(|prefix| name.starts_with(prefix)) && !LET_BE.iter().any(|known| name.ends_with(known))
    });
    let sets = written["process"]["capabilities"].as_object().into_iter().flatten();
    let mut capabilities = sets.flat_map(|(_, set)| texts(set));
    let capability = capabilities.find(|name| {
        ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_MODULE", "DAC_READ_SEARCH"]
            .iter()
            .any(|bad| name.to_uppercase().ends_with(bad))
    });
    let mount = items(&written["mounts"]).find(|mount| {
        let kind = mount["type"].as_str().unwrap_or_default();
        let strange = ["debugfs", "securityfs", "ext4", "nfs", "fuse", "bpf", "binfmt_misc"].contains(&kind);
        let source = mount["source"].as_str().unwrap_or_default();
        let bound = kind == "bind" || texts(&mount["options"]).any(|option| ["bind", "rbind"].contains(&option));
        let reaches = bound && ["/", "/run", "/var/run", "/proc", "/dev"].contains(&source);
        strange || reaches || texts(&mount["options"]).any(|option| ["remount", "shared", "rshared"].contains(&option))
    });
    let later = ["createContainer", "startContainer", "poststart"];
    let hook = later.into_iter().find(|stage| items(&written["hooks"][stage]).next().is_some());
    let asks = linux["seccomp"]["defaultAction"] == "SCMP_ACT_NOTIFY";
    let network = names(&linux["netDevices"]).next();
    let found = missing.or(setting).or(annotation).or(capability).or(hook).or(network);
    found.map(str::to_owned).or_else(|| mount.map(ToString::to_string)).or_else(|| asks.then(|| "a listener".into()))
}

type Hostile = (&'static str, fn(&Refusal) -> bool, Value);

/// The same with one hostile thing more each, where there is room for it.
fn hostile(written: &Value) -> Vec<Hostile> {
    let mut all = Vec::new();
    let mut with = |what, is_it: fn(&Refusal) -> bool, change: &dyn Fn(&mut Value) -> Option<()>| {
        let mut made = written.clone();
        all.extend(change(&mut made).map(|()| (what, is_it, made)));
    };
    with("a setting", |it| matches!(it, Refusal::Sysctl(_)), &|it| {
        it["linux"]["sysctl"].as_object_mut()?.insert("kernel.core_pattern".into(), json!("|/x"));
        Some(())
    });
    with("an annotation", |it| matches!(it, Refusal::Annotation(_)), &|it| {
        it["annotations"].as_object_mut()?.insert("run.oci.seccomp_bpf_data".into(), json!("x"));
        Some(())
    });
    let mounts = [
        json!({"destination": "/d", "type": "debugfs", "source": "debugfs"}),
        json!({"destination": "/proc", "type": "none", "options": ["remount", "rw"]}),
        json!({"destination": "/d", "type": "bind", "source": "/nowhere", "options": ["rbind", "rshared"]}),
    ];
    for mount in mounts {
        with("a mount", |it| matches!(it, Refusal::Mount(..)), &|it| {
            it["mounts"].as_array_mut()?.push(mount.clone());
            Some(())
        });
    }
    with("a directory of sockets", |it| matches!(it, Refusal::EngineSocket(_)), &|it| {
        let run = json!({"destination": "/d", "type": "bind", "source": "/run", "options": ["bind", "ro"]});
        it["mounts"].as_array_mut()?.push(run);
        Some(())
    });
    with("a namespace twice", |it| matches!(it, Refusal::Twice(_)), &|it| {
        let namespaces = it["linux"]["namespaces"].as_array_mut()?;
        let first = namespaces.first()?.clone();
        namespaces.push(first);
        Some(())
    });
    with("a capability", |it| matches!(it, Refusal::Capability(_)), &|it| {
        it["process"]["capabilities"]["bounding"].as_array_mut()?.push(json!("CAP_SYS_ADMIN"));
        Some(())
    });
    with("a later hook", |it| matches!(it, Refusal::LaterHook(_) | Refusal::NoHook), &|it| {
        let hooks = it["hooks"].as_object_mut()?.entry("startContainer").or_insert_with(|| json!([]));
        hooks.as_array_mut()?.push(json!({"path": "/bin/true"}));
        Some(())
    });
    with("a listener", |it| matches!(it, Refusal::SeccompListener), &|it| {
        it["linux"].as_object_mut()?.insert("seccomp".into(), json!({"defaultAction": "SCMP_ACT_NOTIFY"}));
        Some(())
    });
    with("no filter", |it| matches!(it, Refusal::Vsock), &|it| {
        it["linux"].as_object_mut()?.remove("seccomp");
        Some(())
    });
    with("sockets of every family", |it| matches!(it, Refusal::Vsock), &|it| {
        let rules = it["linux"]["seccomp"].as_object_mut()?.entry("syscalls").or_insert_with(|| json!([]));
        rules.as_array_mut()?.push(json!({"names": ["socket"], "action": "SCMP_ACT_ALLOW"}));
        Some(())
    });
    with("a device", |it| matches!(it, Refusal::Device(_)), &|it| {
        let disk = json!([{"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}]);
        it["linux"].as_object_mut()?.insert("devices".into(), disk);
        Some(())
    });
    with("a network device", |it| matches!(it, Refusal::NetDevice(_)), &|it| {
        it["linux"].as_object_mut()?.insert("netDevices".into(), json!({"eth0": {}}));
        Some(())
    });
    with("a control group", |it| matches!(it, Refusal::Group(_)), &|it| {
        it["linux"].as_object_mut()?.insert("cgroupsPath".into(), json!("/a/../.."));
        Some(())
    });
    all
}
