//! Are Debian, Debian with Python, Node and git, and busybox, from a registry, what other tools make of them? The images are those of `tests/images/build`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::{Place, is_root, tool};
use super::server::{Server, insecure, logged_in};
use super::tree::{by_umoci, listed, merged, same};

/// The layout of an image that was made of packages.
fn layout(name: &str) -> PathBuf {
    let images = std::env::var("BOTTLE_IMAGES").ok().filter(|images| !images.is_empty());
    let images = images.expect("the images of the tests\nhint: tests/run, which makes them");
    Path::new(&images).join(name)
}

/// The tree of an image that was pushed and pulled.
fn pulled(place: &Place, layout: &Path) -> String {
    let server = Server::start(&place.path("registry"));
    server.push(layout, "team/image:1");
    place.configure("registries.conf", &insecure(&[&server]));
    place.configure("auth.json", &logged_in(&[&server]));
    let loaded = place.pull(&server.name("team/image:1")).unwrap();
    merged(place, place.unpack(&loaded).layers())
}

fn compare(name: &str) {
    let (place, layout) = (Place::new(), layout(name));
    let ours = pulled(&place, &layout);
    same(&ours, &by_umoci(&place, &layout));
    // Without root podman needs subordinate ids, and then changes owners.
    if is_root() {
        same(&ours, &by_podman(&place, &layout));
    }
}

/// What podman makes of it, in a place of its own.
fn by_podman(place: &Place, layout: &Path) -> String {
    // podman takes no more than 50 characters here.
    let run = tempfile::tempdir_in("/tmp").unwrap();
    let podman = |words: &[&str]| {
        let mut command = Command::new("podman");
        command.arg("--root").arg(place.path("podman")).arg("--runroot").arg(run.path());
        command.args(["--storage-driver", "vfs", "--events-backend", "file", "--cgroup-manager", "cgroupfs"]);
        let output = tool(command.args(words));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let image = podman(&["pull", "--quiet", &format!("oci:{}:t", layout.display())]);
    let tree = listed(place, Path::new(&podman(&["image", "mount", &image])));
    podman(&["image", "unmount", &image]);
    tree
}

#[test]
fn debian_with_python_node_and_git_is_the_same() {
    compare("python-node");
}

#[test]
fn debian_is_the_same() {
    compare("debian");
}

#[test]
fn busybox_is_the_same() {
    compare("busybox");
}
