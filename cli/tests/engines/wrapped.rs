//! Does a container get its airlock where the engine calls no hooks, because `bottle-oci` stands before its runtime?

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bottle_evidence::sha256;
use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::host;
use crate::podman::Podman;
use crate::reached::{FETCH, dressed};
use crate::renewed::{nonce, renewed};
use crate::running::{Held, Running};
use crate::scene::{Contained, Scene, Who, name};
use crate::world::{LIMIT, Said, said, text};

const SEES: &str = "busybox ls /sys/class/net | busybox tr '\\n' ' '";
const WAIT: &str = "echo ready; read -r line; exit 7";

/// A bundle as an engine without hooks writes it.
fn plain(scene: &Scene, script: &str) -> Bundle {
    let mut bundle = scene.bundle(script);
    bundle.configuration.as_object_mut().unwrap().remove("hooks");
    bundle.configuration["linux"].as_object_mut().unwrap().remove("seccomp");
    bundle
}

/// `bottle-oci run`, not started yet.
fn command(scene: &Scene, bundle: &Bundle) -> Command {
    bundle.write();
    let mut wrapper = scene.wrapper();
    wrapper.arg("--root").arg(scene.path("runc")).args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
    wrapper
}

fn run(scene: &Scene, bundle: &Bundle) -> Said {
    said(&mut command(scene, bundle))
}

fn start(scene: &Scene, bundle: &Bundle) -> Contained {
    let running = Running::start(command(scene, bundle)).ready();
    let record = scene.living().remove(0);
    let held = |who: &str| Held::new(u32::try_from(record[who].as_u64().unwrap()).unwrap());
    Contained { running, supervisor: held("supervisor"), first: held("workload") }
}

fn configuration(bundle: &Bundle) -> Value {
    serde_json::from_slice(&fs::read(bundle.place.join("config.json")).unwrap()).unwrap()
}

/// Nothing was run, nothing is left, nothing was changed, and the engine's person was told this.
fn assert_refused(scene: &Scene, bundle: &Bundle, why: &str) {
    let marker = scene.path("runtime-was-called");
    let runtime = scene.path("runtime");
    fs::write(&runtime, format!("#!/bin/sh\necho called >{}\n", text(&marker))).unwrap();
    fs::set_permissions(&runtime, PermissionsExt::from_mode(0o755)).unwrap();
    scene.also(&json!({"runtime": text(&runtime)}));
    let said = run(scene, bundle);
    assert!(said.code == 1 && said.out.is_empty() && said.err.contains(why), "{why}: {said:?}");
    assert!(!marker.exists(), "{why}");
    assert_eq!(configuration(bundle), bundle.configuration, "{why}");
    assert!(scene.evidence().is_empty());
    scene.assert_nothing_left();
}

#[test]
fn a_container_without_hooks_is_behind_an_airlock_and_its_log_verifies() {
    let scene = Scene::new();
    let bundle = plain(&scene, SEES);
    assert_eq!(run(&scene, &bundle).ok().trim(), "eth0 lo");
    scene.assert_nothing_left();
    scene.verified();
    let edited = configuration(&bundle);
    // What the engine's runtime was told is what was attested.
    let bytes = fs::read(bundle.place.join("config.json")).unwrap();
    assert_eq!(scene.subject("image"), sha256(&bytes).to_string());
    assert_eq!(run(&scene, &bundle).ok().trim(), "eth0 lo");
    assert_eq!(configuration(&bundle), edited);
}

#[test]
fn a_network_that_the_engine_has_made_is_replaced() {
    let scene = Scene::new();
    let mut bundle = plain(&scene, SEES);
    bundle.namespace("network", Some("/proc/self/ns/net"));
    assert_eq!(run(&scene, &bundle).ok().trim(), "eth0 lo");
    scene.assert_nothing_left();
    scene.verified();
}

#[test]
fn a_container_that_is_left_alone_has_the_configuration_that_it_had() {
    let scene = Scene::new();
    scene.settings(&json!({"unannotated": "left-alone"}));
    let bundle = plain(&scene, SEES);
    let mut engine = command(&scene, &bundle);
    let path = bundle.place.join("config.json");
    let odd = format!(" {}\n\n", fs::read_to_string(&path).unwrap().replace("\":", "\" : "));
    fs::write(&path, &odd).unwrap();
    assert_eq!(said(&mut engine).ok().trim(), "lo");
    assert_eq!(fs::read_to_string(&path).unwrap(), odd);
    assert!(scene.evidence().is_empty() && !Path::new(&scene.path("state")).exists());
}

#[test]
fn a_container_around_which_no_airlock_would_hold_is_refused_before_its_engine_hears_of_it() {
    let scene = Scene::new();
    let mut bundle = plain(&scene, "echo ran");
    bundle.configuration["process"]["capabilities"]["bounding"].as_array_mut().unwrap().push(json!("CAP_NET_ADMIN"));
    assert_refused(&scene, &bundle, "CAP_NET_ADMIN");
    let mut bundle = plain(&scene, "echo ran");
    bundle.namespace("network", None);
    assert_refused(&scene, &bundle, "network namespace of its own");
    let mut bundle = plain(&scene, "echo ran");
    bundle.annotate("bottle.policy", "missing.yaml");
    assert_refused(&scene, &bundle, "missing.yaml");
    let mut bundle = plain(&scene, "echo ran");
    bundle.configuration["hooks"] = json!({"startContainer": [{"path": "/bin/true"}]});
    assert_refused(&scene, &bundle, "/bin/true runs after");
}

#[test]
fn a_container_that_joins_a_bottle_is_behind_its_airlock_and_has_no_power_over_it() {
    let scene = Scene::new();
    let first = plain(&scene, WAIT);
    let contained = start(&scene, &first);
    let paths = ["network", "user"].map(|kind| (kind, format!("/proc/{}/ns/{}", contained.first.pid, short(kind))));
    let joining = |script: &str| {
        let mut bundle = plain(&scene, script);
        for (kind, path) in &paths {
            bundle.namespace(kind, Some(path));
        }
        bundle
    };
    let inside = joining(SEES);
    let said = run(&scene, &inside);
    if host::is_root() {
        assert_eq!(said.ok().trim(), "eth0 lo", "{said:?}");
    } else {
        // An ordinary user may not look where runc has put a process that joins another user namespace, and so nobody tells.
        assert!(said.code == 1 && said.out.is_empty() && said.err.contains("cannot look at"), "{said:?}");
    }
    assert_eq!(scene.living().len(), 1);
    let mut powerful = joining("echo ran");
    powerful.configuration["process"]["capabilities"]["bounding"].as_array_mut().unwrap().push(json!("CAP_NET_ADMIN"));
    let said = run(&scene, &powerful);
    assert!(said.code == 1 && said.out.is_empty() && said.err.contains("CAP_NET_ADMIN"), "{said:?}");
    let mut seeing = joining("echo ran");
    seeing.bind(&scene.path("state"), "/tmp/shared", &[]);
    let said = run(&scene, &seeing);
    assert!(said.code == 1 && said.out.is_empty(), "{said:?}");
    assert!(!host::is_root() || said.err.contains("the key"), "{said:?}");
    scene.policy("other.yaml", "");
    let mut choosing = joining(SEES);
    choosing.annotate("bottle.policy", "other.yaml");
    let said = run(&scene, &choosing);
    assert!(said.code == 1 && said.out.is_empty() && said.err.contains("a policy of its own"), "{said:?}");
    // Engines give the annotations of a pod to its sandbox and to its containers.
    choosing.annotate("io.kubernetes.cri.container-type", "container");
    let said = run(&scene, &choosing);
    assert!(!host::is_root() || said.ok().trim() == "eth0 lo", "{said:?}");
    assert_eq!(contained.finish().code, 7);
    scene.assert_nothing_left();
    scene.verified();
}

#[test]
fn the_keeper_of_a_container_that_joined_is_attested_and_ends_with_it() {
    let scene = Scene::new();
    let mut first = plain(&scene, WAIT);
    first.annotate("bottle.name", "boxed");
    let contained = start(&scene, &first);
    let keepers = || {
        let helpers = host::children(contained.supervisor.pid).into_iter();
        helpers.filter(|pid| host::first_argument(*pid) == "bottle-keeper").collect::<Vec<_>>()
    };
    let own = keepers();
    let mut inside = plain(&scene, WAIT);
    for kind in ["network", "user"] {
        inside.namespace(kind, Some(&format!("/proc/{}/ns/{}", contained.first.pid, short(kind))));
    }
    let attested = |digit: &str| renewed(&scene, &nonce(digit)).1["keeper.members"]["value"].clone();
    assert_eq!(attested("a"), json!({"count": 0, "keepers": []}));
    if host::is_root() {
        let joined = Running::start(command(&scene, &inside)).ready();
        let others: Vec<u32> = keepers().into_iter().filter(|pid| !own.contains(pid)).collect();
        let [keeper] = others[..] else { panic!("{others:?}") };
        let keeper = Held::new(keeper);
        let members = attested("b");
        assert_eq!(members["count"], 1);
        let (container, process) = (&members["keepers"][0]["container"], &members["keepers"][0]["process"]);
        let place = |pid: &Value| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        let ids = host::status(u32::try_from(container["pid"].as_u64().unwrap()).unwrap(), "NSpid").unwrap();
        assert!(ids.ends_with(" 1") && place(&container["pid"]) == place(&json!(contained.first.pid)), "{members}");
        assert_ne!(container["pid"], contained.first.pid);
        assert!(process["seccomp"] == 2 && process["capabilities"]["CapEff"] == "0000000000000020", "{process}");
        assert_eq!(joined.finish().code, 7);
        assert!(keeper.ends_within(LIMIT), "it outlives its container");
        // It was waited for too, and its end broke nothing.
        assert_eq!(attested("c")["count"], 0);
        assert_eq!(keepers(), own);
    } else {
        // An ordinary user may not look where runc has put a process that joins another user namespace.
        assert!(run(&scene, &inside).err.contains("cannot look at"));
    }
    assert_eq!(contained.finish().code, 7);
    scene.assert_nothing_left();
    assert!(scene.verified().iter().all(|entry| entry["kind"] != "drift"));
}

fn short(kind: &str) -> &str {
    if kind == "network" { "net" } else { kind }
}

#[test]
fn a_container_of_a_pod_without_an_airlock_is_refused() {
    let scene = Scene::new();
    let mut bundle = plain(&scene, "echo ran");
    bundle.annotate("io.kubernetes.cri.container-type", "container");
    bundle.namespace("network", Some("/proc/self/ns/net"));
    assert_refused(&scene, &bundle, "part of a pod");
}

/// What the wrapper says of a bundle, and nothing is made of it.
fn assert_unreadable(scene: &Scene, bundle: &Path, why: &str) {
    let log = scene.path("log.json");
    let _ = fs::remove_file(&log);
    let mut wrapper = scene.wrapper();
    wrapper.arg("--log").arg(&log).args(["--log-format", "json"]).arg("--root").arg(scene.path("runc"));
    let said = said(wrapper.args(["create", "--bundle", text(bundle), "unreadable"]));
    assert!(said.code == 1 && said.out.is_empty() && said.err.contains(why), "{why}: {said:?}");
    assert!(said.err.starts_with("bottle-oci: ") && said.err.lines().count() == 1, "{said:?}");
    // What engines show of it is the last line of their log.
    let logged = fs::read_to_string(&log).unwrap();
    let line: Value = serde_json::from_str(logged.lines().last().unwrap()).unwrap();
    assert_eq!((&line["level"], line["msg"].as_str().unwrap()), (&json!("error"), said.err.trim_end()));
    assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    scene.assert_nothing_left();
}

#[test]
fn a_bundle_that_can_not_be_read_is_refused_and_the_engines_log_says_why() {
    let scene = Scene::new();
    assert_unreadable(&scene, Path::new("/nowhere/at/all"), "cannot open the bundle /nowhere/at/all");
    let bundle = plain(&scene, "echo ran");
    let path = bundle.place.join("config.json");
    assert_unreadable(&scene, &bundle.place, "cannot read");
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let huge = format!("{{}}{}", " ".repeat(17 << 20));
    let garbage = ["", "[]", "{", "\0", "{\"linux\":[]}", "{\"annotations\":{\"a\":1}}"];
    for text in garbage.into_iter().chain([deep.as_str(), huge.as_str()]) {
        fs::write(&path, text).unwrap();
        assert_unreadable(&scene, &bundle.place, "config");
        assert!(fs::read_to_string(&path).unwrap() == text);
    }
    bundle.write();
    fs::rename(&path, bundle.place.join("other.json")).unwrap();
    std::os::unix::fs::symlink("other.json", &path).unwrap();
    assert_unreadable(&scene, &bundle.place, "config.json");
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    assert_unreadable(&scene, &bundle.place, "no regular file");
}

#[test]
fn a_runtime_that_is_missing_and_settings_that_are_broken_start_nothing() {
    let scene = Scene::new();
    let bundle = plain(&scene, "echo ran");
    scene.also(&json!({"runtime": "/nowhere/runc"}));
    let said = run(&scene, &bundle);
    assert!(said.code == 1 && said.out.is_empty() && said.err.contains("/nowhere/runc"), "{said:?}");
    scene.also(&json!({"runtime": text(Path::new(crate::world::BOTTLE))}));
    let said = run(&scene, &bundle);
    assert!(said.code == 1 && said.out.is_empty(), "{said:?}");
    fs::write(scene.path("hooks.json"), "{\"fail-open\": true}").unwrap();
    let said = run(&scene, &bundle);
    assert!(said.code == 1 && said.out.is_empty() && said.err.contains("hooks.json"), "{said:?}");
    scene.assert_nothing_left();
    assert!(scene.evidence().is_empty());
}

/// Whatever is there when it is killed is the one configuration or the other, and the next call goes on from it.
#[test]
fn a_wrapper_that_is_killed_at_any_moment_leaves_a_whole_configuration() {
    let scene = Scene::new();
    scene.also(&json!({"runtime": "/usr/bin/true"}));
    let bundle = plain(&scene, "echo ran");
    let edited = {
        said(&mut command(&scene, &bundle)).ok();
        configuration(&bundle)
    };
    assert!(edited["hooks"].is_object());
    let mut old = 0;
    for micros in (0..60).map(|step| step * 250) {
        let mut wrapper = command(&scene, &bundle).spawn().unwrap();
        // The moment itself is what is tried, and not waited for.
        let deadline = std::time::Instant::now() + std::time::Duration::from_micros(micros);
        while std::time::Instant::now() < deadline {
            std::hint::spin_loop();
        }
        let _ = wrapper.kill();
        wrapper.wait().unwrap();
        let there = configuration(&bundle);
        assert!(there == edited || there == bundle.configuration, "{there}");
        old += usize::from(there == bundle.configuration);
    }
    assert!(old > 0, "none was killed before it had edited");
    said(&mut command(&scene, &bundle)).ok();
    assert_eq!(configuration(&bundle), edited);
    let names = fs::read_dir(&bundle.place).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name != "rootfs").collect::<Vec<_>>(), ["config.json"]);
    // It goes on with the runtime that there is.
    scene.also(&json!({"runtime": "/usr/sbin/runc"}));
    assert_eq!(run(&scene, &bundle).ok(), "ran\n");
    scene.assert_nothing_left();
}

#[test]
fn a_hook_of_ours_that_is_there_already_is_put_last_and_once() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    let theirs = bundle.configuration["hooks"]["createRuntime"][0].clone();
    bundle.hook("createRuntime", 1, "true");
    let hooks = |bundle: &Bundle| configuration(bundle)["hooks"]["createRuntime"].as_array().unwrap().clone();
    assert_eq!(run(&scene, &bundle).ok(), "ran\n");
    let there = hooks(&bundle);
    assert_eq!((there.len(), &there[0]["path"], &there[1]["args"]), (2, &json!("/bin/sh"), &theirs["args"]));
    scene.assert_nothing_left();
}

#[test]
fn a_container_without_a_seccomp_filter_gets_the_one_of_every_bottle_and_no_raw_sockets() {
    let scene = Scene::new();
    let script = "busybox grep -E '^(Seccomp|CapBnd):' /proc/self/status; busybox unshare -n true; echo $?;
        busybox chmod 4755 /tmp; echo $?; python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)';
        echo $?; python3 -c 'import socket; socket.create_server((\"127.0.0.1\", 0)); print(1)'";
    // For runc an empty one is none, and for everybody one that lets all pass.
    let none = [json!(null), json!({}), json!({"defaultAction": "SCMP_ACT_ALLOW"})];
    for (no_new_privileges, filter) in [true, false, false].into_iter().zip(none) {
        let mut bundle = plain(&scene, script);
        bundle.configuration["linux"]["seccomp"] = filter;
        bundle.configuration["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let said = run(&scene, &bundle);
        let lines: Vec<&str> = said.ok().lines().collect();
        assert_eq!(lines[1], "Seccomp:\t2", "{said:?}");
        assert_eq!(lines[2..], ["1", "1", "1", "1"], "{said:?}");
        let set = u64::from_str_radix(lines[0].trim_start_matches("CapBnd:\t"), 16).unwrap();
        assert!(set != 0 && set & (1 << 13) == 0, "{said:?}");
        scene.assert_nothing_left();
    }
}

/// podman with the wrapper for a runtime. conmon calls it without this test's variables, so that a script has them.
#[test]
fn podman_with_the_wrapper_for_a_runtime_needs_no_hooks_and_no_other_network() {
    let scene = Scene::new();
    scene.settings(&json!({"unannotated": "left-alone"}));
    let bundle = dressed(&scene, "", "nameserver 192.0.2.53\n");
    let runtime = scene.path("bottle-oci.sh");
    let exec = format!("BOTTLE_ROOT={} exec {}", text(&scene.path("state")), scene.wrapping().join(" "));
    fs::write(&runtime, format!("#!/bin/sh\n{exec} \"$@\"\n")).unwrap();
    fs::set_permissions(&runtime, PermissionsExt::from_mode(0o755)).unwrap();
    let podman = Podman::without_hooks(&runtime, &scene, &Who::Tester);
    let annotated =
        ["--annotation", "bottle.policy=web.yaml", "--volume", "/usr:/usr:ro", "--volume", "/lib64:/lib64:ro"];
    // The lab's own network, to which podman would have the container belong.
    let options = [&["--network", "ns:/proc/self/ns/net"][..], &annotated].concat();
    let fetch = said(&mut podman.script(&bundle, &options, FETCH));
    if !host::is_root() {
        // An ordinary user's podman calls its runtime within a user namespace of its own, if it can make one here at all.
        assert!(fetch.code != 0 && !fetch.out.contains("200"), "{fetch:?}");
        return;
    }
    assert!(["200\n6\n35\n", "200\n6\n7\n"].contains(&fetch.ok()), "{fetch:?}");
    assert_eq!(scene.world.lab.received("web").unwrap().len(), 1);
    assert!(scene.world.lab.received("collector").unwrap().is_empty());
    scene.assert_nothing_left();
    scene.verified();
    let alone = said(&mut podman.script(&bundle, &["--network", "none"], SEES));
    assert_eq!(alone.ok().trim(), "lo");
    let refused =
        said(&mut podman.script(&bundle, &["--network", "none", "--annotation", "bottle.policy=missing.yaml"], SEES));
    assert!(refused.code != 0 && refused.out.is_empty() && refused.err.contains("missing.yaml"), "{refused:?}");
    let hosts = said(&mut podman.script(&bundle, &[&["--network", "host"][..], &annotated].concat(), SEES));
    assert!(hosts.code != 0 && hosts.out.is_empty() && hosts.err.contains("network namespace"), "{hosts:?}");
    // One that goes on until it is stopped, and is removed.
    let named = [&["--detach", "--name", "boxed", "--network", "none"][..], &annotated].concat();
    said(&mut podman.script(&bundle, &named, "trap 'exit 0' TERM; while :; do busybox sleep 0.05; done")).ok();
    assert_eq!(scene.living().len(), 1);
    said(podman.command().args(["stop", "--time", "20", "boxed"])).ok();
    said(podman.command().args(["rm", "--force", "--ignore", "boxed"])).ok();
    drop(podman);
    scene.assert_nothing_left();
}
