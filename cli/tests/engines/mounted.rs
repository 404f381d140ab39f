//! Is a container judged by the mounts that it has? By those that come along with what is bound, and by what is there and in no configuration.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::bundle::Bundle;
use crate::host;
use crate::others::crun;
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
fn what_is_mounted_by_a_name_that_is_no_text_is_judged_too() {
    for (mount, why) in [("mount --bind SOCKET AT/file", "a socket of the host's"), ("true", "")] {
        let scene = Scene::new();
        let at = scene.path("tree").join(OsStr::from_bytes(b"M\xfcller"));
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("file"), "").unwrap();
        let socket = scene.path("any");
        drop(UnixListener::bind(&socket).unwrap());
        let mount = mount.replace("AT", &format!("{}/M*", text(&scene.path("tree")))).replace("SOCKET", text(&socket));
        let mut bundle = scene.bundle("echo ran");
        bundle.bind(&scene.path("tree"), "/tmp/shared", &["ro"]);
        let said = said(&mut beside(&scene, &bundle, &mount));
        if why.is_empty() {
            assert_eq!(said.ok(), "ran\n");
        } else {
            assert_refused(&scene, &said, why);
        }
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

/// Two trees of which one is a container's root by a path, which comes to lead to the other when all is mounted.
struct Turned {
    scene: Scene,
    bundle: Bundle,
    root: PathBuf,
    other: PathBuf,
}

impl Turned {
    fn new() -> Turned {
        let scene = Scene::new();
        let bundle = scene.bundle("cat /mark; ls /tmp/shared; echo ran");
        let (root, other) = (bundle.place.join("rootfs"), scene.path("other"));
        bundle.file("mark", "the one");
        let copied = Command::new("cp").args(["-a", text(&root), text(&other)]).status().unwrap();
        assert!(copied.success());
        fs::write(other.join("mark"), "the other").unwrap();
        Turned { scene, bundle, root, other }
    }

    /// In a hook before bottle's, after something that nobody judged was mounted in the first of the trees.
    fn turn(&mut self, script: &str) {
        let mount = entered(&format!("mount --rbind /etc {}/tmp/shared", text(&self.root)));
        self.bundle.hook("createRuntime", 0, &format!("{mount} && {script}"));
    }
}

/// As that of the first process, whose root whoever is no root is in its namespace.
fn entered(mount: &str) -> String {
    let user = if host::is_root() { "" } else { "--user --preserve-credentials" };
    let pid = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')";
    format!("{pid} && nsenter {user} --mount --target $pid sh -ec '{mount}'")
}

#[test]
fn a_root_that_was_renamed_since_it_was_mounted_is_refused() {
    let mut turned = Turned::new();
    assert_eq!(turned.scene.run(&turned.bundle).ok(), "the oneran\n");
    fs::remove_dir_all(&turned.scene.evidence()[0]).unwrap();
    turned.turn(&format!("mv {0} {0}-before && cp -a {1} {0}", text(&turned.root), text(&turned.other)));
    let refused = turned.scene.run(&turned.bundle);
    assert_refused(&turned.scene, &refused, "root is not mounted at");
    assert!(refused.err.contains("hint: "), "{refused:?}");
}

/// runc takes no link for a root. Nobody but root may mount the control groups that crun wants to see here.
#[test]
fn a_link_to_the_root_that_was_turned_since_it_was_followed_is_refused() {
    let mut turned = Turned::new();
    let link = turned.scene.path("link-to-the-root");
    symlink(&turned.root, &link).unwrap();
    turned.bundle.configuration["root"]["path"] = json!(text(&link));
    let before = said(&mut crun(&turned.scene, &turned.bundle));
    if !host::is_root() {
        assert!(before.code != 0 && before.out.is_empty(), "{before:?}");
        return;
    }
    assert_eq!(before.ok(), "the oneran\n");
    fs::remove_dir_all(&turned.scene.evidence()[0]).unwrap();
    turned.turn(&format!("ln -sfn {} {}", text(&turned.other), text(&link)));
    // crun does not say what its hooks said.
    let refused = said(&mut crun(&turned.scene, &turned.bundle));
    assert_refused(&turned.scene, &refused, "bottle` (exit code: 2)");
}

#[test]
fn what_somebody_has_mounted_in_a_container_besides_is_refused() {
    // To mount the host's proc takes to be root on the host.
    let hosts_processes = ("mount -t proc none \"$root/tmp/shared\"", "a file system of the type", "other-mounts");
    let mounts = [
        ("mount --rbind /etc \"$root/tmp/shared\"", "/etc", "other-mounts"),
        (
            "mount -t overlay -o lowerdir=/usr/share:/usr/bin none \"$root/tmp/shared\"",
            "a file system of the type",
            "other-mounts",
        ),
        ("mount --bind /dev/null \"$root/tmp/socket\"", "", ""),
        ("mount -t tmpfs none \"$root/tmp/shared\"", "", ""),
        ("mount -t ramfs none \"$root/tmp/shared\"", "ramfs", "other-mounts"),
    ];
    for (mount, why, exception) in mounts.into_iter().chain(host::is_root().then_some(hosts_processes)) {
        let scene = Scene::new();
        let mut bundle = scene.bundle("echo ran");
        let root = bundle.place.join("rootfs");
        bundle.hook("createRuntime", 0, &format!("root={}; export root; {}", text(&root), entered(mount)));
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
