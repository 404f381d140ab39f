//! Does a container run whose configuration was written by somebody who wants out? Each such is refused before its first instruction.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::host;
use crate::running::Running;
use crate::scene::{Scene, name};
use crate::world::{Said, said, text};

/// What somebody writes into a configuration, and what the engine's person is told.
type Case = (&'static str, fn(&Scene, &mut Value), &'static str);

/// All are tried, and all that were not refused are named.
fn assert_refused(cases: &[Case], run: fn(&Scene, &Bundle) -> Said) {
    let mut wrong = Vec::new();
    for (what, write, why) in cases {
        let scene = Scene::new();
        let mut bundle = scene.bundle("echo ran");
        write(&scene, &mut bundle.configuration);
        wrong.extend(not_refused(&scene, &run(&scene, &bundle), why).map(|said| format!("{what}: {said}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// By the hook, when runc has made it.
fn hooked(scene: &Scene, bundle: &Bundle) -> Said {
    scene.run(bundle)
}

/// By the wrapper, before runc hears of it: what runc would do to this machine, or fail to do, is not tried.
fn wrapped(scene: &Scene, bundle: &Bundle) -> Said {
    bundle.write();
    let mut wrapper = scene.wrapper();
    wrapper.arg("--root").arg(scene.path("runc")).args(["run", "--bundle", text(&bundle.place), &name(bundle)]);
    said(&mut wrapper)
}

/// Nothing of it ran, nothing is left of it, and the engine's person was told this and what to do; or what was said instead.
fn not_refused(scene: &Scene, said: &Said, why: &str) -> Option<String> {
    scene.assert_nothing_left();
    let refused = said.code != 0 && !said.out.contains("ran") && scene.evidence().is_empty();
    (!refused || !said.err.contains(why) || !said.err.contains("hint: ")).then(|| format!("{said:?}"))
}

fn mount(configuration: &mut Value, kind: &str, source: &Path, options: &[&str]) {
    let mount = json!({"destination": "/tmp/shared", "type": kind, "source": text(source), "options": options});
    configuration["mounts"].as_array_mut().unwrap().push(mount);
}

#[test]
fn an_annotation_that_a_runtime_reads_for_confinement_is_refused() {
    let cases: [Case; 5] = [
        ("filter", |_, all| all["annotations"]["run.oci.seccomp_bpf_data"] = json!("BgAAAAAA/38="), "run.oci.seccomp"),
        ("handler", |_, all| all["annotations"]["run.oci.handler"] = json!("krun"), "run.oci.handler"),
        ("groups", |_, all| all["annotations"]["run.oci.keep_original_groups"] = json!("1"), "keep_original_groups"),
        ("criu", |_, all| all["annotations"]["org.criu.config"] = json!("/tmp/criu.conf"), "org.criu.config"),
        ("unit", |_, all| all["annotations"]["org.systemd.property.OnFailure"] = json!("'x.service'"), "OnFailure"),
    ];
    assert_refused(&cases, hooked);
}

#[test]
fn a_mount_that_is_no_usual_one_is_refused() {
    let cases: [Case; 3] = [
        ("propagation", |scene, all| mount(all, "bind", &scene.path("containers"), &["rbind", "rshared"]), "rshared"),
        ("propagation of all", |_, all| all["linux"]["rootfsPropagation"] = json!("shared"), "shared"),
        ("the kernel's files", |_, all| mount(all, "bind", Path::new("/proc"), &["rbind", "ro"]), "/proc"),
    ];
    assert_refused(&cases, hooked);
    let cases: [Case; 6] = [
        (
            "an overlay of what can't be told",
            |_, all| mount(all, "overlay", Path::new("overlay"), &["lowerdir=/usr,lowerdir+=/etc"]),
            "overlay",
        ),
        ("disk", |_, all| mount(all, "ext4", Path::new("/dev/sda1"), &["ro"]), "ext4"),
        ("kernel", |_, all| mount(all, "debugfs", Path::new("debugfs"), &[]), "debugfs"),
        ("remount", |_, all| mount(all, "tmpfs", Path::new("tmpfs"), &["remount"]), "remount"),
        (
            "its own root, in which its mounts are by then",
            |_, all| mount(all, "bind", Path::new("rootfs/tmp"), &["rbind"]),
            "own mounts",
        ),
        (
            "a file by the name of a device",
            |_, all| all["linux"]["devices"] = json!([{"path": "/etc/passwd", "type": "c", "major": 1, "minor": 3}]),
            "c 1:3 by the name /etc/passwd",
        ),
    ];
    assert_refused(&cases, wrapped);
}

#[test]
fn a_directory_in_which_programs_are_asked_to_start_others_is_refused_though_no_socket_is_there() {
    let cases: [Case; 4] = [
        ("run", |_, all| mount(all, "bind", Path::new("/run"), &["rbind", "ro"]), "/run"),
        ("var run", |_, all| mount(all, "bind", Path::new("/var/run"), &["rbind", "ro"]), "/run"),
        (
            "a socket of any program",
            |scene, all| {
                let path = scene.path("any");
                // The file stays when nobody listens any more.
                drop(UnixListener::bind(&path).unwrap());
                all["mounts"].as_array_mut().unwrap().push(
                    json!({"destination": "/tmp/socket", "type": "bind", "source": text(&path), "options": ["bind"]}),
                );
            },
            "a socket of the host's",
        ),
        (
            "the host's root for a root",
            |_, all| all["root"] = json!({"path": "/", "readonly": true}),
            "a socket by which programs are started",
        ),
    ];
    assert_refused(&cases, wrapped);
}

#[test]
fn hooks_between_ours_and_behind_ours_are_refused_wherever_another_of_ours_is() {
    let cases: [Case; 2] = [
        (
            "another between two of ours, the second of which does nothing",
            |_, all| {
                let mut nothing = all["hooks"]["createRuntime"][0].clone();
                nothing["args"] = json!(["bottle", "hook", "create", "--help"]);
                let other = json!({"path": "/bin/true", "args": ["true"]});
                all["hooks"]["createRuntime"].as_array_mut().unwrap().extend([other, nothing]);
            },
            "/bin/true runs after",
        ),
        (
            "two of ours",
            |_, all| {
                let ours = all["hooks"]["createRuntime"][0].clone();
                all["hooks"]["createRuntime"].as_array_mut().unwrap().push(ours);
            },
            "runs after",
        ),
    ];
    assert_refused(&cases, hooked);
}

#[test]
fn a_namespace_that_is_said_twice_and_a_root_that_is_the_hosts_by_its_mapping_are_refused() {
    let twice: [Case; 1] = [(
        "twice",
        |_, all| {
            let other = json!({"type": "network", "path": "/proc/1/ns/net"});
            all["linux"]["namespaces"].as_array_mut().unwrap().push(other);
        },
        "twice",
    )];
    assert_refused(&twice, wrapped);
    let mapped: [Case; 1] = [(
        "mapped",
        |_, all| {
            for map in ["uidMappings", "gidMappings"] {
                all["linux"][map] = json!([{"containerID": 0, "hostID": 0, "size": 65536}]);
            }
        },
        "user namespace",
    )];
    // An ordinary user's runc refuses that itself.
    assert_refused(&mapped, if host::is_root() { hooked } else { wrapped });
}

#[test]
fn a_user_namespace_that_has_the_ids_of_other_bottles_is_refused() {
    let mapped: [Case; 1] = [(
        "all ids but root's",
        |_, all| {
            for map in ["uidMappings", "gidMappings"] {
                all["linux"][map] = json!([{"containerID": 0, "hostID": 1, "size": 4_294_967_293_u32}]);
            }
        },
        "ids that bottle's own processes have",
    )];
    assert_refused(&mapped, wrapped);
    if host::is_root() {
        // An ordinary user's runc makes no such namespace.
        assert_refused(&mapped, hooked);
    }
}

#[test]
fn what_runtimes_set_on_the_host_or_after_the_attestation_is_refused() {
    let cases: [Case; 1] =
        [("device", |_, all| all["linux"]["netDevices"] = json!({"eth7": {"name": "eth1"}}), "eth7")];
    assert_refused(&cases, hooked);
    let cases: [Case; 4] = [
        ("sysctl", |_, all| all["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"}), "net.ipv4.ip_forward"),
        ("group", |_, all| all["linux"]["cgroupsPath"] = json!("/a/../../b"), "control group"),
        ("the first group", |_, all| all["linux"]["cgroupsPath"] = json!("/"), "control group"),
        (
            "listener",
            |_, all| {
                let rule = json!({"names": ["socket"], "action": "SCMP_ACT_NOTIFY"});
                all["linux"]["seccomp"] =
                    json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/tmp/l", "syscalls": [rule]});
            },
            "listen",
        ),
    ];
    assert_refused(&cases, wrapped);
}

/// Somebody who may write what leads to a configuration shows one to the runtime and another to whoever judges it.
#[test]
fn a_bundle_that_somebody_else_could_exchange_is_refused_by_the_hook_and_by_the_wrapper() {
    type Spoil = fn(&Scene, &Bundle);
    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fn strangers(path: &Path) {
        std::os::unix::fs::lchown(path, Some(1), Some(1)).unwrap();
    }
    let file = |bundle: &Bundle| bundle.place.join("config.json");
    let open: [(&str, Spoil); 4] = [
        ("a file that others write", |_, bundle| mode(&bundle.place.join("config.json"), 0o666)),
        ("a file that a group writes", |_, bundle| mode(&bundle.place.join("config.json"), 0o664)),
        ("a directory that a group writes", |_, bundle| mode(&bundle.place, 0o775)),
        ("a directory above that others write", |scene, _| mode(&scene.path("containers"), 0o777)),
    ];
    let others: [(&str, Spoil); 3] = [
        ("a stranger's file", |_, bundle| strangers(&bundle.place.join("config.json"))),
        ("a stranger's directory", |_, bundle| strangers(&bundle.place)),
        ("a stranger's directory above", |scene, _| strangers(&scene.path("containers"))),
    ];
    let cases = open.iter().chain(others.iter().filter(|_| host::is_root()));
    let mut wrong = Vec::new();
    for ((what, spoil), run) in cases.flat_map(|case| [(case, hooked as fn(&Scene, &Bundle) -> Said), (case, wrapped)])
    {
        let scene = Scene::new();
        // Though it would be left alone.
        scene.settings(&json!({"unannotated": "left-alone"}));
        let bundle = scene.bundle("echo ran");
        fs::write(file(&bundle), "").unwrap();
        spoil(&scene, &bundle);
        let said = run(&scene, &bundle);
        wrong.extend(not_refused(&scene, &said, "somebody else could exchange").map(|said| format!("{what}: {said}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Where everybody may write, and only the owner rename and remove, it is nobody else's all the same.
    for run in [hooked, wrapped] {
        let scene = Scene::new();
        let bundle = scene.bundle("echo ran");
        mode(&scene.path("containers"), 0o1777);
        assert_eq!(run(&scene, &bundle).ok(), "ran\n");
        scene.assert_nothing_left();
    }
}

/// What is written, as it is.
fn run_text(scene: &Scene, bundle: &Bundle, text_of: &str) -> Said {
    fs::write(bundle.place.join("config.json"), text_of).unwrap();
    said(&mut scene.runc(&["run", "--bundle", text(&bundle.place), &name(bundle)]))
}

/// runc, written in Go, takes members in any case, and the last of two. What is read here must be what it reads.
#[test]
fn a_member_that_runc_takes_for_another_or_that_is_there_twice_is_refused() {
    let spellings = [
        ("\"linux\":", "\"Linux\":{\"maskedPaths\":null},\"linux\":", "Linux"),
        ("\"linux\":", "\"linux\":{},\"linux\":", "twice"),
        ("\"namespaces\":", "\"nameſpaceſ\":[],\"namespaces\":", "nameſpaceſ"),
        ("\"capabilities\":", "\"CAPABILITIES\":{\"bounding\":[\"CAP_NET_ADMIN\"]},\"capabilities\":", "CAPABILITIES"),
        ("\"bounding\":", "\"Bounding\":[\"CAP_NET_ADMIN\"],\"bounding\":", "Bounding"),
        ("\"noNewPrivileges\":", "\"nonewprivileges\":false,\"noNewPrivileges\":", "nonewprivileges"),
        ("\"hostname\":\"engines\"", "\"hostname\":\"engines\\u0000x\"", "NUL"),
    ];
    let mut wrong = Vec::new();
    for (part, written, why) in spellings {
        let scene = Scene::new();
        let bundle = scene.bundle("echo ran");
        let plain = bundle.configuration.to_string();
        assert!(plain.contains(part), "{part}");
        let said = run_text(&scene, &bundle, &plain.replacen(part, written, 1));
        wrong.extend(not_refused(&scene, &said, why).map(|said| format!("{written}: {said}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_container_that_shares_a_bottles_processes_or_memory_and_not_its_network_never_runs() {
    let scene = Scene::new();
    scene.settings(&json!({"unannotated": "left-alone"}));
    let mut first = scene.bundle("echo ready; read -r line");
    first.annotate("bottle.mode", "enforce");
    let contained = scene.start(&first);
    // runc by itself starts none in a mount namespace whose proc does not have it, and so only the wrapper is asked.
    let all = [
        (&["pid", "user"][..], hooked as fn(&Scene, &Bundle) -> Said),
        (&["ipc", "user"], hooked),
        (&["user"], hooked),
        (&["user"], wrapped),
        (&["mount", "user"], wrapped),
        (&["mount"], wrapped),
    ];
    for (kinds, run) in all {
        let mut bundle = scene.bundle("echo ran");
        bundle.configuration["annotations"] = json!({});
        for kind in kinds {
            let short = if *kind == "mount" { "mnt" } else { kind };
            bundle.namespace(kind, Some(&format!("/proc/{}/ns/{short}", contained.first.pid)));
        }
        // One that joins the processes of another can't mount these again.
        let kept = |mount: &Value| mount["type"] != "proc";
        bundle.configuration["mounts"].as_array_mut().unwrap().retain(kept);
        let said = run(&scene, &bundle);
        assert!(said.code != 0 && !said.out.contains("ran"), "{kinds:?}: {said:?}");
        // An ordinary user may not look where runc has put a process that joins another user namespace.
        let near = said.err.contains(&format!("in the {} namespace of the bottle", kinds[0]));
        assert!(!host::is_root() || near, "{kinds:?}: {said:?}");
    }
    contained.finish();
    scene.assert_nothing_left();
}

#[test]
fn a_container_that_joins_a_bottles_network_and_somebody_elses_memory_never_runs() {
    let scene = Scene::new();
    scene.settings(&json!({"unannotated": "left-alone"}));
    let mut first = scene.bundle("echo ready; read -r line");
    first.annotate("bottle.mode", "enforce");
    let contained = scene.start(&first);
    let of_first = |kind: &str| format!("/proc/{}/ns/{kind}", contained.first.pid);
    // Of that bottle's user namespace, since runc enters that before the others.
    let mut other = scene.world.program("nsenter");
    // An ordinary user is who that namespace's root is, and the host's root is nobody there.
    other.args((!host::is_root()).then_some("--preserve-credentials"));
    other.args(["--user", "--target", &contained.first.pid.to_string()]);
    other.args(["unshare", "--ipc", "sh", "-c", "echo ready; read -r line"]);
    let other = Running::start(other).ready();
    let mut bundle = scene.bundle("echo ran");
    bundle.configuration["annotations"] = json!({});
    bundle.namespace("network", Some(&of_first("net")));
    bundle.namespace("user", Some(&of_first("user")));
    bundle.namespace("ipc", Some(&format!("/proc/{}/ns/ipc", other.pid())));
    let said = scene.run(&bundle);
    assert!(said.code != 0 && !said.out.contains("ran"), "{said:?}");
    let elsewhere = "joins the network of the bottle";
    assert!(!host::is_root() || said.err.contains(elsewhere) && said.err.contains("ipc namespace"), "{said:?}");
    bundle.namespace("ipc", Some(&of_first("ipc")));
    let said = scene.run(&bundle);
    assert!(!host::is_root() || said.ok() == "ran\n", "{said:?}");
    other.finish();
    contained.finish();
    scene.assert_nothing_left();
}
