//! Are the columns of docs/confinement.md for runc and podman what they show a command by default? Root's, as the document says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::host;
use crate::podman::Podman;
use crate::scene::{Scene, Who};
use crate::world::{said, text};

const DOCUMENT: &str = include_str!("../../../docs/confinement.md");

/// What a command sees of itself, without a change of anything.
const SEEN: &str = "cat /proc/self/status; echo; cat /proc/self/mountinfo; echo; ls /dev; echo; for n in /proc/self/ns/*; do readlink $n; done";

/// The rows of the document's table that begins so, with the engine's cell.
fn table(first: &str, engine: &str) -> BTreeMap<&'static str, &'static str> {
    let head = format!("| {first} | runc | podman |");
    let rows = DOCUMENT.lines().skip_while(move |line| !line.starts_with(&head)).skip(2);
    let cells = rows.take_while(|line| line.starts_with("| ")).map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0], cells[if engine == "runc" { 1 } else { 2 }])
    });
    cells.collect()
}

/// busybox alone.
fn root_file_system(scene: &Scene) -> PathBuf {
    let root = scene.path("rootfs");
    for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::copy("/usr/bin/busybox", root.join("bin/busybox")).unwrap();
    for name in ["sh", "cat", "ls", "readlink"] {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    root
}

/// By what `runc spec` writes, but for the terminal and the command.
fn under_runc(scene: &Scene) -> String {
    root_file_system(scene);
    let bundle = text(&scene.path("")).to_owned();
    said(scene.world.program("runc").args(["spec", "--bundle", &bundle])).ok();
    let path = scene.path("config.json");
    let mut configuration: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    configuration["process"]["terminal"] = false.into();
    configuration["process"]["args"] = ["/bin/sh", "-c", SEEN].as_slice().into();
    fs::write(path, configuration.to_string()).unwrap();
    said(&mut scene.runc(&["run", "--bundle", &bundle, &format!("bottle-columns-{}", scene.world.lab.pid())]))
        .ok()
        .to_owned()
}

/// By what `podman run` does without options, but for limits that root may not have here.
fn under_podman(scene: &Scene) -> String {
    let root = root_file_system(scene);
    let podman = Podman::without_hooks(Path::new("runc"), scene, &Who::Tester);
    let mut run = podman.command();
    run.args(["run", "--rm", "--network=none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]);
    said(run.arg("--rootfs").arg(root).args(["sh", "-c", SEEN])).ok().to_owned()
}

/// How a path is closed, by the mounts that a command sees.
fn closed(path: &str, mounts: &str) -> &'static str {
    let of = |at: &str| {
        let mut lines = mounts.lines().filter(|line| line.split(' ').nth(4) == Some(at));
        lines.next_back().map(|line| line.split(' ').collect::<Vec<&str>>())
    };
    let is_read_only = |mount: &[&str]| mount[5].split(',').any(|option| option == "ro");
    match of(path) {
        Some(mount) if mount.contains(&"tmpfs") || mount[3] == "/null" => "masked",
        Some(mount) if is_read_only(&mount) => "read-only",
        None if path.starts_with("/sys/") && of("/sys").is_some_and(|mount| is_read_only(&mount)) => "read-only",
        _ => "shown",
    }
}

fn judge(engine: &str, seen: &str) {
    let parts: Vec<&str> = seen.split("\n\n").collect();
    let [status, mounts, devices, namespaces] = parts[..] else { panic!("{engine}: {seen}") };
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{engine}, {name}: {status}")).trim().to_owned()
    };
    let capabilities = |name: &str| u64::from_str_radix(&field(name), 16).unwrap().count_ones().to_string();
    // The test itself may lie under some.
    let own: u32 = host::status(std::process::id(), "Seccomp_filters").unwrap().parse().unwrap();
    let filters = field("Seccomp_filters").parse::<u32>().unwrap() - own;
    let what = table("what", engine);
    for (row, found) in [
        ("effective capabilities", capabilities("CapEff")),
        ("bounding set", capabilities("CapBnd")),
        ("no_new_privs", field("NoNewPrivs")),
        ("seccomp filters", filters.to_string()),
    ] {
        assert_eq!(what[row], found, "{engine}: {row}");
    }
    for kind in ["pid", "mnt", "ipc", "uts", "net"] {
        let own = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert!(!namespaces.lines().any(|line| Path::new(line) == own), "{engine}: {kind} is the host's");
    }
    let user = fs::read_link("/proc/self/ns/user").unwrap();
    assert!(namespaces.lines().any(|line| Path::new(line) == user), "{engine}: the user namespace is not the host's");
    let paths = table("path", engine);
    let there: Vec<_> = paths.iter().filter(|(path, _)| Path::new(path).exists()).collect();
    assert!(there.len() > 8, "{there:?}");
    for (path, how) in there {
        assert_eq!(closed(path, mounts), *how, "{engine}: {path}");
    }
    let listed = table("in /dev", engine);
    let expected: BTreeSet<&str> = listed.iter().filter(|(_, is)| **is == "yes").map(|(name, _)| *name).collect();
    assert_eq!(devices.lines().filter(|name| *name != "core").collect::<BTreeSet<_>>(), expected, "{engine}");
}

#[test]
fn the_document_says_of_runc_and_podman_what_they_show_a_command_of_roots() {
    if !host::is_root() {
        return;
    }
    judge("runc", &under_runc(&Scene::new()));
    judge("podman", &under_podman(&Scene::new()));
}
