//! Does what is not the workload's to change stay so where a mount is writable that should not be? Landlock, behind the mounts.

use serde_json::json;

use crate::detached::Detached;
use crate::entered::shell;
use crate::image::image;
use crate::running::Processes;
use crate::world::{World, said, text};

/// Takes `ro` off mounts of a bottle, as its owner may. In one process: whoever is not root loses that power by execve(2).
const OPEN: &str = "
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
NOSUID, NODEV, REMOUNT, BIND = 2, 4, 32, 4096
user, mount, *places = sys.argv[1:]
entered = [os.open(path, os.O_RDONLY) for path in (user, mount)]
if os.stat(user).st_ino != os.stat('/proc/self/ns/user').st_ino:
    assert libc.setns(entered[0], 0) == 0, os.strerror(ctypes.get_errno())
assert libc.setns(entered[1], 0) == 0, os.strerror(ctypes.get_errno())
for place in places:
    opened = libc.mount(None, place.encode(), None, REMOUNT | BIND | NOSUID | NODEV, None)
    assert opened == 0, place + ': ' + os.strerror(ctypes.get_errno())
    assert not os.statvfs(place).f_flag & os.ST_RDONLY, place
";

fn open(world: &World, bottle: &Detached<'_>, mounts: &[&str]) {
    let Processes { init, workload, .. } = Processes::of(bottle.supervisor().pid);
    let namespaces = [format!("/proc/{}/ns/user", init.pid), format!("/proc/{}/ns/mnt", workload.pid)];
    said(world.privileged("python3").args(["-c", OPEN]).args(namespaces).args(mounts)).ok();
}

/// Tries to change what is not the workload's.
const TRY: &str = "for place in /shown /usr /sys; do touch $place/new 2>&1; done; touch /new && rm /new";

#[test]
fn a_mount_that_is_no_longer_read_only_can_still_not_be_written() {
    let world = World::new();
    std::fs::create_dir(world.path("shown")).unwrap();
    let volume = format!("{}:/shown:ro", text(&world.path("shown")));
    let script = format!("{TRY}; echo ready; while [ ! -e go ]; do sleep 0.05; done; {TRY}; echo done; sleep 1000");
    let bottle = Detached::start(&world, &["-v", &volume, "host", "--", "bash", "-c", &script]);
    bottle.wait_for("ready");
    open(&world, &bottle, &["/shown", "/usr", "/sys"]);
    std::fs::write(world.project("go"), "").unwrap();
    bottle.wait_for("done");
    let logs = bottle.logs(&[]);
    let refused =
        |why: &str| ["/shown", "/usr", "/sys"].map(|at| format!("touch: cannot touch '{at}/new': {why}\n")).concat();
    let expected = [refused("Read-only file system"), "ready\n".into(), refused("Permission denied"), "done\n".into()];
    assert_eq!(logs.ok(), expected.concat());
    assert_eq!(std::fs::read_dir(world.path("shown")).unwrap().count(), 0);
    assert!(shell(&world, &bottle, "true").refused().contains("sees other mounts"));
}

#[test]
fn no_device_node_can_be_made_by_whoever_is_inside_and_the_attestation_says_so() {
    let world = World::new();
    let bottle = Detached::shell(&world, "mknod /tmp/own c 0 0; echo ready; sleep 1000");
    bottle.wait_for("ready");
    assert_eq!(bottle.logs(&[]).err, "mknod: /tmp/own: Permission denied\n");
    assert_eq!(shell(&world, &bottle, "mknod /tmp/own c 0 0").err, "mknod: /tmp/own: Permission denied\n");
    let shown = said(&mut world.bottle(&["attest", "show", bottle.inspect()["attestation"].as_str().unwrap()]));
    assert!(shown.ok().contains("workload.landlock"), "{shown:?}");
    let statement = said(&mut world.bottle(&["attest", "renew", "--nonce", &"7".repeat(64), &bottle.id]));
    std::fs::write(world.path("renewed.json"), statement.ok()).unwrap();
    let shown = said(&mut world.bottle(&["attest", "show", text(&world.path("renewed.json"))]));
    assert!(shown.ok().contains("workload.landlock"), "{shown:?}");
}

#[test]
fn what_programs_do_with_their_own_files_goes_on_working() {
    let world = World::new();
    let script = "set -e; mkdir a b; echo x >a/f; mv a/f b/f; ln b/f a/g; echo y >>a/g; truncate -s 1 b/f; mv a b/
        mkfifo p; exec 3<>p; cat </dev/stdin; echo e >/dev/stderr; echo o >/dev/fd/1; echo n >/dev/null
        echo 500 >/proc/self/oom_score_adj; mkdir -p \"$HOME/.cache/x\" /tmp/x; mv /tmp/x /tmp/y; cp /usr/bin/true ~/t; ~/t
        python3 -c \"import socket as s; u = s.socket(s.AF_UNIX); u.bind('u'); u.listen(); s.socket(s.AF_UNIX).connect('u')\"
        python3 -c \"import socket as s; u = s.socket(s.AF_UNIX); u.bind(chr(0) + 'u'); u.listen(); s.socket(s.AF_UNIX).connect(chr(0) + 'u')\"
        sleep 100 & readlink /proc/$!/exe >/dev/null; ls /proc/$!/fd >/dev/null; kill $!; cat b/f";
    let ran = world.shell(script);
    assert_eq!((ran.ok(), ran.err.as_str()), ("o\nx", "e\n"));
}

#[test]
fn the_root_of_an_image_that_is_to_be_read_only_stays_so_without_its_mount() {
    let world = World::new();
    let image = image(&world, &json!({ "Env": ["PATH=/bin"] }));
    let attempt = "for at in / /etc /sys /tmp; do touch $at/new 2>/dev/null && echo $at; done";
    let script = format!(
        "{attempt}; echo ready; while [ ! -e /work/go ]; do busybox sleep 0.05; done; {attempt}; echo done; busybox sleep 1000"
    );
    let project = format!("{}:/work", text(&world.path("project")));
    let bottle = Detached::start(&world, &["--read-only", "-v", &project, &image, "--", "sh", "-c", &script]);
    bottle.wait_for("ready");
    open(&world, &bottle, &["/", "/sys"]);
    std::fs::write(world.project("go"), "").unwrap();
    bottle.wait_for("done");
    assert_eq!(bottle.logs(&[]).ok(), "/tmp\nready\n/tmp\ndone\n");
}
