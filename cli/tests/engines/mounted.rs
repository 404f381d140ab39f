//! Is a container judged by the mounts that it has? By those that come along with what is bound, and by what is there and in no configuration.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::bundle::Bundle;
use crate::host;
use crate::scene::{Scene, name};
use crate::world::{Said, said, text};

/// By an engine on whose machine a script of root's has mounted something before.
fn beside(scene: &Scene, bundle: &Bundle, mount: &str) -> Command {
    bundle.write();
    // Whoever is no root is left no capability of those that the script needs.
    let script = format!("{mount} && exec setpriv --inh-caps=-all --ambient-caps=-all \"$@\"");
    let mut command = scene.world.privileged("unshare");
    command.args(["--mount", "sh", "-ec", &script, "sh", "runc", "--root"]).arg(scene.path("runc"));
    command.args(["run", "--bundle", text(&bundle.place), &name(bundle)]).env_remove("BOTTLE_ROOT");
    command
}

/// Nothing of it ran, nothing is left of it, and the engine's person was told this and what to do.
fn assert_refused(scene: &Scene, said: &Said, why: &str) {
    assert!(said.code != 0 && !said.out.contains("ran"), "{said:?}");
    assert!(said.err.contains(why), "{why}: {said:?}");
    assert!(scene.evidence().is_empty());
    scene.assert_nothing_left();
}

#[test]
fn what_is_mounted_in_a_tree_that_is_bound_to_be_read_is_written_there() {
    let scene = Scene::new();
    let policies = scene.path("tree/policies");
    fs::create_dir_all(&policies).unwrap();
    scene.settings(&json!({"policies": text(&policies), "policy": "web.yaml"}));
    fs::write(policies.join("web.yaml"), "version: 1\ndomains: []\n").unwrap();
    let mount = format!("mount --bind {0} {0}", text(&policies));
    let shown = |option: &str| {
        let mut bundle = scene.bundle("echo x >/tmp/shared/policies/web.yaml && echo written; echo ran");
        bundle.bind(&scene.path("tree"), "/tmp/shared", &[option]);
        bundle
    };
    let refused = said(&mut beside(&scene, &shown("ro"), &mount));
    assert_refused(&scene, &refused, "the policy");
    assert!(refused.err.contains(text(&policies)), "{refused:?}");
    // Nothing of it can be written by these.
    assert_eq!(said(&mut beside(&scene, &shown("rro"), &mount)).ok(), "ran\n");
    let closed = format!("{mount} && mount -o remount,bind,ro {}", text(&policies));
    assert_eq!(said(&mut beside(&scene, &shown("ro"), &closed)).ok(), "ran\n");
}

#[test]
fn what_is_mounted_in_a_tree_that_is_bound_is_judged_as_if_it_were_bound() {
    let cases = [
        ("mount --rbind /proc AT", "the kernel's"),
        ("mount --rbind /dev AT", "the kernel's"),
        ("mount --bind /dev/shm AT", "shared memory"),
        ("mount --bind /dev/tty0 AT/file", "the device"),
        ("mount --bind SOCKET AT/file", "a socket of the host's"),
    ];
    for (mount, why) in cases {
        let scene = Scene::new();
        let at = scene.path("tree/in");
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("file"), "").unwrap();
        let socket = scene.path("any");
        drop(UnixListener::bind(&socket).unwrap());
        let mount = mount.replace("AT", text(&at)).replace("SOCKET", text(&socket));
        let mut bundle = scene.bundle("echo ran");
        bundle.bind(&scene.path("tree"), "/tmp/shared", &["ro"]);
        let refused = said(&mut beside(&scene, &bundle, &mount));
        assert_refused(&scene, &refused, why);
        assert!(refused.err.contains("hint: "), "{refused:?}");
        assert_eq!(scene.run(&bundle).ok(), "ran\n");
    }
}

#[test]
fn the_hosts_shared_memory_is_refused_by_any_name() {
    let scene = Scene::new();
    let mut bundle = scene.bundle("echo ran");
    let link = scene.path("link");
    symlink("/dev/shm", &link).unwrap();
    for name in [Path::new("/dev/shm"), &link] {
        let kept = bundle.configuration["mounts"].clone();
        bundle.bind(name, "/tmp/shared", &[]);
        assert_refused(&scene, &scene.run(&bundle), "shared memory");
        scene.settings(&json!({"allow": ["host-ipc"]}));
        assert_eq!(scene.run(&bundle).ok(), "ran\n");
        assert_eq!(scene.facts()["workload.engine"]["value"]["let-pass"], json!(["host-ipc"]));
        fs::remove_dir_all(&scene.evidence()[0]).unwrap();
        scene.settings(&json!({}));
        bundle.configuration["mounts"] = kept;
    }
}

/// What the engine's runtime has mounted is another thing than the hook finds by the same path.
#[test]
fn a_link_that_was_turned_since_it_was_followed_is_refused() {
    let scene = Scene::new();
    let directory = scene.path("links");
    fs::create_dir(&directory).unwrap();
    for name in ["shown", "other"] {
        fs::write(directory.join(name), "").unwrap();
    }
    symlink("other", directory.join("link")).unwrap();
    let mut bundle = scene.bundle("echo ran");
    bundle.bind(&directory.join("link"), "/tmp/socket", &[]);
    assert_eq!(scene.run(&bundle).ok(), "ran\n");
    fs::remove_dir_all(&scene.evidence()[0]).unwrap();
    bundle.hook("createRuntime", 0, &format!("ln -sfn shown {}", text(&directory.join("link"))));
    let refused = scene.run(&bundle);
    assert_refused(&scene, &refused, text(&directory.join("other")));
    assert!(refused.err.contains("the mount /tmp/socket") && refused.err.contains("hint: "), "{refused:?}");
}

#[test]
fn what_somebody_has_mounted_in_a_container_besides_is_refused() {
    let mounts = [
        ("mount --rbind /etc \"$root/tmp/shared\"", "/etc", "other-mounts"),
        ("mount --bind /dev/null \"$root/tmp/socket\"", "", ""),
        ("mount -t tmpfs none \"$root/tmp/shared\"", "", ""),
        ("mount -t ramfs none \"$root/tmp/shared\"", "ramfs", "other-mounts"),
    ];
    for (mount, why, exception) in mounts {
        let scene = Scene::new();
        let mut bundle = scene.bundle("echo ran");
        let root = bundle.place.join("rootfs");
        let pid = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')";
        // An ordinary user is who that namespace's root is.
        let user = if host::is_root() { "--user" } else { "--user --preserve-credentials" };
        let enter = format!("root={} nsenter {user} --mount --target $pid sh -ec '{mount}'", text(&root));
        bundle.hook("createRuntime", 0, &format!("{pid} && {enter}"));
        let ran = scene.run(&bundle);
        if why.is_empty() {
            assert_eq!(ran.ok(), "ran\n", "{mount}");
            continue;
        }
        assert_refused(&scene, &ran, why);
        assert!(ran.err.contains("the mount /tmp/shared"), "{ran:?}");
        scene.settings(&json!({"allow": [exception]}));
        assert_eq!(scene.run(&bundle).ok(), "ran\n");
        assert_eq!(scene.facts()["workload.engine"]["value"]["let-pass"], json!([exception]));
    }
}
