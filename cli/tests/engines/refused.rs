//! Which containers get no airlock, and so never run? Those around which one would not hold.

use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::host;
use crate::running::Held;
use crate::scene::{Scene, name};
use crate::world::{Said, entries, said, text};

/// Nothing of it ran, nothing is left of it, and the engine's person was told this.
fn assert_refused(scene: &Scene, bundle: &Bundle, why: &str) {
    let said = scene.run(bundle);
    assert!(said.code != 0 && !said.out.contains("ran"), "{said:?}");
    assert!(said.err.contains(why), "{why}: {said:?}");
    assert!(scene.evidence().is_empty());
    scene.assert_nothing_left();
}

fn bundle(scene: &Scene) -> Bundle {
    scene.bundle("echo ran")
}

#[test]
fn a_container_in_a_namespace_of_the_hosts_is_refused() {
    for (kind, why) in [("pid", "pid namespace"), ("ipc", "ipc namespace"), ("network", "network namespace")] {
        let scene = Scene::new();
        let mut bundle = bundle(&scene);
        bundle.namespace(kind, None);
        // Which the kernel lets only the owner of these namespaces mount.
        let kept = |mount: &Value| !["proc", "sysfs"].contains(&mount["type"].as_str().unwrap());
        bundle.configuration["mounts"].as_array_mut().unwrap().retain(kept);
        assert_refused(&scene, &bundle, why);
    }
}

#[test]
fn a_container_that_was_to_join_a_bottle_and_is_elsewhere_is_refused_though_it_would_be_left_alone() {
    let scene = Scene::new();
    scene.settings(&json!({"unannotated": "left-alone"}));
    let mut bundle = bundle(&scene);
    bundle.configuration["annotations"] = json!({});
    assert_eq!(scene.run(&bundle).ok().trim(), "ran");
    bundle.configuration["hooks"]["createRuntime"][0]["args"].as_array_mut().unwrap().push(json!("--joins"));
    assert_refused(&scene, &bundle, "not in the network of the bottle that it was to join");
}

#[test]
fn a_container_whose_root_is_the_hosts_is_refused_unless_the_settings_let_it_pass() {
    let scene = Scene::new();
    let mut bundle = bundle(&scene);
    bundle.namespace("user", None);
    for mappings in ["uidMappings", "gidMappings"] {
        bundle.configuration["linux"].as_object_mut().unwrap().remove(mappings);
    }
    if !host::is_root() {
        // The engine's runtime itself starts none without for an ordinary user.
        return assert_refused(&scene, &bundle, "rootless container requires user namespaces");
    }
    assert_refused(&scene, &bundle, "user namespace");
    scene.settings(&json!({"allow": ["host-user"]}));
    // By which the host's root would tell the kernel what to do.
    assert_refused(&scene, &bundle, "/proc/sys of the host's kernel is open");
    bundle.configuration["linux"]["maskedPaths"] = json!(["/proc/kcore"]);
    bundle.configuration["linux"]["readonlyPaths"] =
        json!(["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
    assert_eq!(scene.run(&bundle).ok(), "ran\n");
    scene.verified();
    assert_eq!(scene.facts()["workload.engine"]["value"]["let-pass"], json!(["host-user"]));
}

#[test]
fn a_container_with_power_over_the_airlock_is_refused() {
    for capability in ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE"] {
        let scene = Scene::new();
        let mut bundle = bundle(&scene);
        let sets = &mut bundle.configuration["process"]["capabilities"];
        for set in ["bounding", "effective", "permitted"] {
            sets[set].as_array_mut().unwrap().push(json!(capability));
        }
        assert_refused(&scene, &bundle, capability);
    }
}

#[test]
fn a_container_with_a_second_network_is_refused() {
    let scene = Scene::new();
    let mut bundle = bundle(&scene);
    // An ordinary user has power over it within its user namespace alone.
    let user = if host::is_root() { "" } else { "--preserve-credentials --user=/proc/$pid/ns/user" };
    let pid = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')";
    let link = "ip link add x0 type veth peer name x1";
    let add = format!("{pid}; nsenter {user} --net=/proc/$pid/ns/net {link}");
    bundle.hook("createRuntime", 0, &add);
    assert_refused(&scene, &bundle, "has a network already: device x");
}

/// Which no link, no route and no process in the namespace shows.
#[test]
fn a_container_in_whose_network_somebody_else_holds_a_socket_is_refused() {
    let kinds = [
        ("abstract", "unix socket @way-out"),
        ("nameless", "unix socket no name"),
        ("packet", "packet socket of protocol 0003"),
        ("netlink", "netlink socket of protocol 2"),
        ("connected", "UDP socket at 0100007F:270F"),
        ("unbound", "1 of a kind, or in a state, that is not listed"),
    ];
    for (kind, why) in kinds {
        let scene = Scene::new();
        let mut bundle = bundle(&scene);
        let (hook, told) = (scene.path("holder.py"), scene.path("holder"));
        std::fs::write(&hook, include_str!("holder.py")).unwrap();
        bundle.hook("createRuntime", 0, &format!("exec python3 {} {kind} {}", text(&hook), text(&told)));
        let run = scene.run(&bundle);
        let holder = Held::new(std::fs::read_to_string(&told).unwrap().parse().unwrap());
        holder.signal(Signal::KILL);
        assert!(run.code != 0 && !run.out.contains("ran"), "{kind}: {run:?}");
        let why = format!("somebody holds sockets in the network namespace already: {why}");
        assert!(run.err.contains(&why) && run.err.contains("hint: "), "{kind}: {run:?}");
        // It is known last: the log tells of it, and nothing says that the container was in an airlock.
        let [evidence] = <[_; 1]>::try_from(scene.evidence()).unwrap();
        assert!(!evidence.join("attestation.json").exists());
        let log = evidence.join("audit.jsonl");
        said(&mut scene.bottle(&["audit", "verify", text(&log)])).ok();
        let ends: Vec<_> = entries(&log).into_iter().filter(|entry| entry["kind"] == "run.end").collect();
        assert!(ends.len() == 1 && ends[0]["reason"].as_str().unwrap().starts_with(&why), "{kind}: {ends:?}");
        scene.assert_nothing_left();
    }
}

#[test]
fn a_hook_after_ours_is_refused() {
    for (stage, at) in [("createRuntime", 1), ("createContainer", 0), ("poststart", 0)] {
        let scene = Scene::new();
        let mut bundle = bundle(&scene);
        bundle.hook(stage, at, "true");
        assert_refused(&scene, &bundle, "runs after bottle's hook");
    }
}

#[test]
fn an_engines_socket_inside_is_refused() {
    let scene = Scene::new();
    let socket = scene.path("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let mut bundle = bundle(&scene);
    bundle.bind(&socket, "/tmp/socket", &[]);
    assert_refused(&scene, &bundle, "docker.sock");
}

#[test]
fn a_container_that_could_write_what_judges_it_is_refused() {
    for (what, why) in [("state", "the key"), ("policies", "the policy")] {
        let scene = Scene::new();
        scene.policy("none.yaml", "domains: []\n");
        std::fs::create_dir_all(scene.path("state")).unwrap();
        let mut bundle = bundle(&scene);
        bundle.annotate("bottle.policy", "none.yaml");
        bundle.bind(&scene.path(what), "/tmp/shared", &["rw"]);
        assert_refused(&scene, &bundle, why);
    }
}

#[test]
fn a_container_that_sees_the_key_through_an_overlay_is_refused() {
    let scene = Scene::new();
    let state = scene.path("state");
    std::fs::create_dir_all(&state).unwrap();
    let mut bundle = bundle(&scene);
    let layers = format!("lowerdir={}:{}", text(&state), text(&scene.path("policies")));
    let overlay = json!({"destination": "/tmp/shared", "type": "overlay", "source": "overlay", "options": [layers]});
    bundle.configuration["mounts"].as_array_mut().unwrap().push(overlay);
    assert_refused(&scene, &bundle, "the key");
}

/// As engines do that let a container outlive them: it has their own streams.
fn with_input(scene: &Scene, bundle: &Bundle, input: impl Into<Stdio>) -> Said {
    bundle.write();
    let words = ["run", "--detach", "--bundle", text(&bundle.place), &name(bundle)];
    said(scene.runc(&words).stdin(input))
}

#[test]
fn a_container_that_is_handed_a_way_out_is_refused() {
    let scene = Scene::new();
    let here = || std::fs::File::open("/").unwrap();
    let terminal = || std::fs::File::options().read(true).write(true).open("/dev/ptmx").unwrap();
    let socket = || OwnedFd::from(UdpSocket::bind("0.0.0.0:0").unwrap());
    // It could be connected to any abstract name of the host's.
    let unix = || OwnedFd::from(UnixDatagram::pair().unwrap().0);
    let handed: [(OwnedFd, &str); 4] = [
        (socket(), "a socket of the host's"),
        (unix(), "a socket of the host's"),
        (here().into(), "a directory of the host's"),
        (terminal().into(), "a device of the host's"),
    ];
    for (input, why) in handed {
        let said = with_input(&scene, &bundle(&scene), input);
        assert!(said.code != 0 && !said.out.contains("ran") && said.err.contains(why), "{why}: {said:?}");
        assert!(scene.evidence().is_empty());
        scene.assert_nothing_left();
    }
    scene.settings(&json!({"allow": ["host-terminal"]}));
    let last = bundle(&scene);
    assert_eq!(with_input(&scene, &last, terminal()).ok(), "ran\n");
    said(&mut scene.runc(&["delete", "--force", &name(&last)])).ok();
    scene.assert_nothing_left();
}

/// Programs that start an engine often talk to it by one.
#[test]
fn a_container_whose_input_is_a_connected_unix_socket_runs() {
    let scene = Scene::new();
    let bundle = bundle(&scene);
    bundle.write();
    // Made where the engine is: a socket of another network namespace is no connected one of the engine's.
    let between = "import socket, subprocess, sys; near, far = socket.socketpair(); sys.exit(subprocess.call(sys.argv[1:], stdin=near))";
    let mut engine = scene.world.program("python3");
    engine.env_remove("BOTTLE_ROOT").args(["-c", between, "runc", "--root"]).arg(scene.path("runc"));
    engine.args(["run", "--detach", "--bundle", text(&bundle.place), &name(&bundle)]);
    assert_eq!(said(&mut engine).ok(), "ran\n");
    said(&mut scene.runc(&["delete", "--force", &name(&bundle)])).ok();
    scene.assert_nothing_left();
}

#[test]
fn an_annotation_reaches_no_policy_outside_of_the_administrators_directory() {
    let scene = Scene::new();
    std::fs::write(scene.path("wide.yaml"), "version: 1\nmode: observe\n").unwrap();
    let outside = scene.path("wide.yaml");
    for reference in ["../wide.yaml", outside.to_str().unwrap(), "missing.yaml"] {
        let mut bundle = bundle(&scene);
        bundle.annotate("bottle.policy", reference);
        assert_refused(&scene, &bundle, "there is no policy");
    }
    let mut observing = bundle(&scene);
    observing.annotate("bottle.mode", "observe");
    assert_refused(&scene, &observing, "lets everything public pass");
    let mut mistyped = bundle(&scene);
    mistyped.annotate("bottle.polciy", "a.yaml");
    assert_refused(&scene, &mistyped, "bottle.polciy");
}

#[test]
fn settings_that_others_can_write_start_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    std::fs::set_permissions(scene.path("hooks.json"), std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_refused(&scene, &bundle(&scene), "can be written by others");
    std::fs::remove_file(scene.path("hooks.json")).unwrap();
    assert_refused(&scene, &bundle(&scene), "cannot read the settings");
}

#[test]
fn a_bottle_name_that_is_taken_is_refused() {
    let scene = Scene::new();
    let mut first = scene.bundle("echo ready; read -r line");
    first.annotate("bottle.name", "one");
    let contained = scene.start(&first);
    let mut second = bundle(&scene);
    second.annotate("bottle.name", "one");
    let said = scene.run(&second);
    assert!(said.code != 0 && said.out.is_empty() && said.err.contains("one"), "{said:?}");
    contained.finish();
    scene.assert_nothing_left();
}

/// The state of a container that nobody has.
fn state(changes: &Value) -> String {
    let mut state = json!({"ociVersion": "1.0.2", "id": "x", "status": "creating", "pid": 1, "bundle": "/nowhere"});
    state.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    state.to_string()
}

#[test]
fn garbage_on_standard_input_is_an_error_that_says_so() {
    let scene = Scene::new();
    let call = |verb: &str, input: &str| {
        let file = scene.path("input");
        std::fs::write(&file, input).unwrap();
        let mut hook = scene.world.bottle(&["hook", verb]);
        said(hook.stdin(std::fs::File::open(file).unwrap()))
    };
    for verb in ["create", "stop"] {
        for input in ["", "{", "[]", &"x".repeat(2 << 20), &state(&json!({"id": "../x"})), &state(&json!({"pid": -1}))]
        {
            let said = call(verb, input);
            assert!(said.code == 2 && said.err.starts_with("bottle: "), "{verb} {input:.80}: {said:?}");
        }
    }
    // A bundle that is not there, and a container that is not about to stop.
    assert_eq!(call("create", &state(&json!({}))).code, 2);
    // As crun names one that it has lost.
    let lost = call("create", &state(&json!({"bundle": "/"})));
    assert!(lost.code == 2 && lost.err.contains("cannot read /config.json"), "{lost:?}");
    assert!(lost.err.contains("hint: crun 1.8.1 tells its hooks"), "{lost:?}");
    assert_eq!(call("stop", &state(&json!({}))).code, 2);
    // One that is gone, or never was: nothing is left of it, however often that is asked.
    for _ in 0..2 {
        call("stop", &state(&json!({"status": "stopped", "pid": 0}))).ok();
    }
    scene.assert_nothing_left();
}
