//! Do the programs of real images run? Those of `tests/images/build`: Debian, Debian with Python, Node and git, and busybox.

use crate::world::{World, said};

/// A world that has the image under its name.
fn with(image: &str) -> World {
    let images = std::env::var("BOTTLE_IMAGES").ok().filter(|images| !images.is_empty());
    let images = images.expect("the images of the tests\nhint: tests/run, which makes them");
    let world = World::new();
    said(&mut world.bottle(&["image", "load", &format!("oci:{images}/{image}:t"), "--tag", image])).ok();
    world
}

fn run(world: &World, words: &[&str], expected: &str) {
    assert_eq!(said(&mut world.run(words)).ok(), expected, "{words:?}");
}

#[test]
fn python_node_and_git_run() {
    let world = with("python-node");
    let python = "import json, ssl, sqlite3, subprocess; print(subprocess.check_output(['cat', '/etc/hostname'])[:0], json.dumps([1]))";
    run(&world, &["python-node", "--", "python3", "-c", python], "b'' [1]\n");
    let node = "require('fs').writeFileSync('/tmp/x', 'y'); console.log([1, 2].map(x => x * 2).join())";
    run(&world, &["python-node", "--", "node", "-e", node], "2,4\n");
    let git = "git init -q /tmp/r && cd /tmp/r && echo x >f && git add f && git -c user.name=a -c user.email=b commit -qm one && git log --format=%s";
    run(&world, &["python-node", "--", "sh", "-c", git], "one\n");
    run(&world, &["python-node", "--", "python3", "/usr/local/bin/app"], "from the image\n");
    let layers = "ls /usr/share/doc /etc/motd 2>/dev/null; id -un; echo $LANG; dpkg --verify git nodejs bash | grep -v /usr/share/doc; true";
    run(&world, &["python-node", "--", "bash", "-c", layers], "root\nC.UTF-8\n");
    run(&world, &["-u", "dev", "python-node", "--", "bash", "-c", "cd && id -un && touch made && ls"], "dev\nmade\n");
}

#[test]
fn debian_runs() {
    let world = with("debian");
    let script = "id -un; apt-get --version | head -n 1 | cut -d ' ' -f 1; dpkg --verify bash | grep -v /usr/share/doc; perl -e 'print 6 * 7'";
    run(&world, &["debian", "--", "bash", "-c", script], "root\napt\n42");
    run(&world, &["-u", "dev", "debian", "--", "bash", "-c", "cd && id -un && touch made && ls"], "dev\nmade\n");
    run(&world, &["--read-only", "debian", "--", "sh", "-c", "touch /x 2>/dev/null || echo no; touch /tmp/x"], "no\n");
}

#[test]
fn busybox_runs() {
    let world = with("busybox");
    run(&world, &["busybox", "--", "sh", "-c", "seq 3 | tac | tr '\\n' ' '; id -u; pwd"], "3 2 1 0\n/\n");
    run(&world, &["--read-only", "busybox", "--", "sh", "-c", "touch /x 2>/dev/null || echo no"], "no\n");
}
