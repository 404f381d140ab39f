//! Does examples/devcontainer put a repository's container behind a policy that is not the repository's? podman does what its file says.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::host;
use crate::machine::{EXAMPLES, Machine};
use crate::world::{Said, World, said, text};

/// Which names have an address.
const NAMES: &str = "for name in api.anthropic.com evil.attacker.example; do
    nslookup -type=a $name >/dev/null 2>&1 && echo answered || echo none; done; ls /sys/class/net | grep -v ifb";

/// What a repository says of its container.
fn run_arguments() -> Vec<String> {
    let file = Path::new(EXAMPLES).join("devcontainer/.devcontainer/devcontainer.json");
    let file: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    file["runArgs"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// The machine as the example's README sets it up, with the tests' busybox as the image of its name.
fn machine() -> (Machine, String) {
    let machine = Machine::new();
    let example = |name: &str| Path::new(EXAMPLES).join(name);
    fs::copy(example("policies/agent.yaml"), machine.path("/etc/bottle/policies/agent.yaml")).unwrap();
    fs::copy(example("devcontainer/hooks.json"), machine.path("/etc/bottle/hooks.json")).unwrap();
    fs::copy(example("devcontainer/containers.conf"), machine.path("/etc/containers/containers.conf")).unwrap();
    for file in ["/etc/subuid", "/etc/subgid"] {
        fs::write(machine.path(file), "containers:1600000000:1048576\n").unwrap();
    }
    let images = std::env::var("BOTTLE_IMAGES").expect("tests/run says where the images are");
    let pulled = said(podman(&machine).args(["pull", "--quiet", &format!("oci:{images}/busybox:t")]));
    let image = pulled.ok().trim().to_owned();
    (machine, image)
}

fn podman(machine: &Machine) -> Command {
    let mut podman = machine.program("podman");
    podman.args(["--cgroup-manager", "cgroupfs", "--events-backend", "file", "--storage-driver", "vfs"]);
    podman
}

fn run(machine: &Machine, image: &str, arguments: &[String]) -> Said {
    let mut run = podman(machine);
    run.args(["run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]);
    run.arg("--cgroup-parent").arg(format!("/{}", machine.group())).args(arguments);
    run.args(["--volume", &format!("{}:/work", text(&machine.world.path("project")))]);
    said(run.args([image, "sh", "-c", NAMES]))
}

#[test]
fn a_repositorys_container_reaches_what_its_policy_names_and_without_one_nothing() {
    if !host::is_root() {
        // Only root's podman can have it: another's calls its runtime in a user namespace of its own.
        let world = World::new();
        let link = world.path("bottle-oci");
        std::os::unix::fs::symlink(crate::world::BOTTLE, &link).unwrap();
        let said = said(world.program(text(&link)).args(["create", "--bundle", text(&world.path("home")), "one"]));
        assert!(said.code != 0 && said.err.contains("config.json"), "{said:?}");
        return;
    }
    let (machine, image) = machine();
    let arguments = run_arguments();
    assert_eq!(run(&machine, &image, &arguments).ok(), "answered\nnone\neth0\nlo\n");
    let unannotated: Vec<String> = arguments.iter().filter(|word| !word.starts_with("--annotation")).cloned().collect();
    assert_eq!(unannotated.len() + 1, arguments.len());
    assert_eq!(run(&machine, &image, &unannotated).ok(), "none\nnone\neth0\nlo\n");
    // The repository's own, which it names in every way that it can.
    fs::write(machine.world.project("mine.yaml"), "version: 1\nmode: observe\ndefault_policy: allow\n").unwrap();
    for path in [machine.world.project("mine.yaml"), "../../../work/mine.yaml".into(), "mine.yaml".into()] {
        let mut own = unannotated.clone();
        own.push(format!("--annotation=bottle.policy={}", text(&path)));
        let refused = run(&machine, &image, &own);
        assert!(refused.code != 0 && refused.out.is_empty() && refused.err.contains("mine.yaml"), "{refused:?}");
    }
    assert_eq!(fs::read_dir(machine.path("/var/lib/bottle/runs")).unwrap().count(), 2);
}
