//! Do the hooks work for crun, as far as this machine lets it run, and within a user namespace of an engine's?

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::host;
use crate::scene::{Scene, Who, name};
use crate::world::{LIMIT, said, text};

pub const SEES: &str = "busybox ls /sys/class/net | busybox tr '\\n' ' '";

/// What crun wants to see: control groups of the second version alone. It is shown no others, and makes none. Only root can have it so.
pub fn with_new_groups(scene: &Scene, who: &Who) -> Command {
    let show = "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec \"$@\"";
    let mut command = scene.world.program("unshare");
    command.args(["--mount", "sh", "-c", show, "sh"]);
    if let Who::User(name) = who {
        command.args(["setpriv", "--reuid", name, "--regid", name, "--init-groups"]);
    }
    command
}

pub fn crun(scene: &Scene, bundle: &Bundle) -> Command {
    bundle.write();
    let mut command = with_new_groups(scene, &Who::Tester);
    command.env_remove("BOTTLE_ROOT").args(["crun", "--cgroup-manager=disabled", "--root"]).arg(scene.path("crun"));
    command.args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
    command
}

#[test]
fn a_container_of_cruns_is_behind_the_same_airlock() {
    if !host::is_root() {
        // Nobody else may mount the control groups that crun wants to see here.
        let scene = Scene::new();
        let said = said(&mut crun(&scene, &scene.bundle(SEES)));
        assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
        return;
    }
    let scene = Scene::new();
    let said = said(&mut crun(&scene, &scene.bundle(SEES)));
    assert_eq!(said.ok().trim(), "eth0 lo", "{said:?}");
    scene.assert_nothing_left();
    scene.verified();
}

/// A container of the host's root that may make device nodes, and whose engine is told to deny it all devices but the usual ones.
fn making_nodes(scene: &Scene) -> Bundle {
    let mut bundle = scene.bundle(
        "busybox mknod /tmp/disk b 7 0 && echo made; busybox dd if=/tmp/disk of=/dev/null count=0 && echo opened",
    );
    bundle.namespace("user", None);
    let linux = bundle.configuration["linux"].as_object_mut().unwrap();
    linux.remove("uidMappings");
    linux.remove("gidMappings");
    linux.insert("maskedPaths".into(), json!(["/proc/kcore"]));
    linux.insert("readonlyPaths".into(), json!(["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]));
    linux.insert("resources".into(), json!({"devices": [{"allow": false, "access": "rwm"}]}));
    for set in bundle.configuration["process"]["capabilities"].as_object_mut().unwrap().values_mut() {
        set.as_array_mut().unwrap().push(json!("CAP_MKNOD"));
    }
    scene.settings(&json!({"allow": ["host-user"]}));
    bundle
}

/// Attaches a program on devices, which lets all pass, to a control group of version 2, enters that, and executes the rest. What the program says is its engine's word.
const WITH_PROGRAM: &str = r#"
import ctypes, os, struct, sys
group, command = sys.argv[1], sys.argv[2:]
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xb7, 0, 0, 1, 0x95, 0, 0, 0))
licence = ctypes.create_string_buffer(b"GPL")
def bpf(command, attributes):
    words = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
    result = libc.syscall({"x86_64": 321, "aarch64": 280}[os.uname().machine], command, words, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
program = bpf(5, struct.pack("=IIQQ", 15, 2, ctypes.addressof(code), ctypes.addressof(licence)))
bpf(8, struct.pack("=IIII", os.open(group, os.O_RDONLY), program, 6, 0))
open(group + "/cgroup.procs", "w").write(str(os.getpid()))
os.execvp(command[0], command)
"#;

#[test]
fn a_container_that_makes_device_nodes_is_refused_unless_a_group_denies_it_devices() {
    if !host::is_root() {
        // An ordinary user's runtime starts none as the host's root.
        return;
    }
    let why = "CAP_MKNOD, and nothing shows";
    let assert_refused = |scene: &Scene, mut engine: Command| {
        let said = said(&mut engine);
        // crun itself says nothing of what a hook said.
        assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
        assert!(scene.evidence().is_empty());
        scene.assert_nothing_left();
        said.err
    };
    // runc is told, and does.
    let scene = Scene::new();
    let mut bundle = making_nodes(&scene);
    let said_of_runc = scene.run(&bundle);
    assert!(said_of_runc.out == "made\n", "{said_of_runc:?}");
    scene.verified();
    // It is not told.
    let scene = Scene::new();
    bundle = making_nodes(&scene);
    bundle.configuration["linux"]["resources"] = json!({});
    assert!(assert_refused(&scene, scene.command(&bundle)).contains(why));
    // crun is told, and makes no group.
    let scene = Scene::new();
    bundle = making_nodes(&scene);
    scene.settings(&json!({"allow": ["host-user", "runtime-annotations"]}));
    let told = scene.path("told");
    bundle.annotate("run.oci.hooks.stderr", text(&told));
    let engine = crun(&scene, &bundle);
    assert_refused(&scene, engine);
    assert!(std::fs::read_to_string(&told).unwrap().contains(why));
    // In one that has a program, as engines attach it.
    let scene = Scene::new();
    bundle = making_nodes(&scene);
    let unified = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let unified = unified.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
    let group = Path::new(unified.expect("no control groups of version 2")).join(name(&bundle));
    std::fs::create_dir(&group).unwrap();
    let plain = crun(&scene, &bundle);
    let mut engine = scene.world.program("python3");
    engine
        .env_remove("BOTTLE_ROOT")
        .args(["-c", WITH_PROGRAM])
        .arg(&group)
        .arg(plain.get_program())
        .args(plain.get_args());
    let ran = said(&mut engine);
    std::fs::remove_dir(&group).unwrap();
    scene.assert_nothing_left();
    assert!(ran.out.starts_with("made\n"), "{ran:?}");
    scene.verified();
}

/// Nobody but root may look at what crun has made, and what can't be looked at is not attested.
#[test]
fn a_container_of_cruns_that_an_ordinary_user_starts_without_podman_is_refused() {
    if !host::is_root() {
        // crun wants control groups of the second version alone, which only root can show it.
        return;
    }
    let who = Who::User("bottle-test".into());
    let scene = Scene::of(who.clone());
    let mut bundle = scene.bundle("echo ran");
    let user = nix::unistd::User::from_name("bottle-test").unwrap().unwrap();
    for (map, id) in [("uidMappings", user.uid.as_raw()), ("gidMappings", user.gid.as_raw())] {
        bundle.configuration["linux"][map] = json!([{"containerID": 0, "hostID": id, "size": 1}]);
    }
    // crun itself says nothing of what a hook said.
    scene.settings(&json!({"allow": ["runtime-annotations"]}));
    let told = scene.path("home/told");
    bundle.annotate("run.oci.hooks.stderr", text(&told));
    bundle.write();
    let run = |bundle: &Bundle| {
        let mut command = with_new_groups(&scene, &who);
        command.env_remove("BOTTLE_ROOT").env("XDG_RUNTIME_DIR", scene.path("home"));
        command.args(["crun", "--cgroup-manager=disabled", "--root"]).arg(scene.path("home/crun"));
        command.args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
        said(&mut command)
    };
    let refused = run(&bundle);
    assert!(refused.code != 0 && !refused.out.contains("ran"), "{refused:?}");
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("not ours to look at"), "{told}");
    assert!(scene.evidence().is_empty());
    scene.assert_nothing_left();
    // It is crun's without the hook.
    bundle.configuration["hooks"] = json!({});
    bundle.write();
    assert_eq!(run(&bundle).ok(), "ran\n");
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

/// crun would take this filter for the one that was attested: it lets everything pass.
#[test]
fn an_annotation_by_which_crun_takes_another_filter_starts_nothing() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("busybox grep -c . /proc/self/status");
    bundle.annotate("run.oci.seccomp_bpf_data", "BgAAAAAA/38=");
    // What the hook says crun does not show.
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
        // crun itself may be ended by SIGPIPE, where its container is gone before it has told it all.
        let ended = crun(&scene, &bundle).output().unwrap();
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{ended:?}");
        // The hook may take 120 s: crun must not wait for that where the hook has failed.
        assert!(begun.elapsed() < LIMIT, "{:?}: {ended:?}", begun.elapsed());
        scene.assert_nothing_left();
        assert!(scene.evidence().is_empty());
    }
}

/// An ordinary user's engine that has no range of ids is root of a user namespace with that one.
#[test]
fn an_engine_within_a_user_namespace_without_ids_for_bottle_starts_nothing_and_says_why() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    for map in ["uidMappings", "gidMappings"] {
        bundle.configuration["linux"][map] = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
    }
    bundle.write();
    let mut engine = scene.world.program("unshare");
    engine.env_remove("BOTTLE_ROOT").args(["--user", "--map-root-user", "--mount", "runc", "--root"]);
    engine.arg(scene.path("runc")).args(["run", "--bundle", text(&bundle.place), &name(&bundle)]);
    let said = said(&mut engine);
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    assert!(said.err.contains("has 0 ids besides its root's") && said.err.contains("/etc/subuid"), "{said:?}");
    scene.assert_nothing_left();
    assert!(scene.evidence().is_empty());
}
