//! What is a machine on which bottle lies where its documentation puts it? The lab's host, with directories of the test's own over some
//! of the host's.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::running::Held;
use crate::world::{BOTTLE, LIMIT, PATH, World, said, text};

/// Where the project's examples are.
pub const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

/// What is the machine's own, each a directory of the test's that lies over one of the host's.
const OWN: [(&str, &str); 3] = [("etc", "/etc"), ("lib", "/var/lib"), ("bin", "/usr/local/bin")];

/// By which a machine's own programs can be read and not be written, as part of the host's that containers are shown to be read.
pub const CLOSE: [&str; 4] = ["mount", "-o", "remount,bind,ro", "/usr/local/bin"];

/// The lab's host with files of its own, for whoever is root there. What it leaves of control groups goes with this value.
pub struct Machine {
    pub world: World,
    /// Whether programs are still to be installed there.
    open: bool,
}

impl Machine {
    pub fn new() -> Machine {
        let mut machine = Machine::to_install_on();
        machine.open = false;
        machine
    }

    /// One whose programs can be written until somebody closes them ([`CLOSE`]).
    pub fn to_install_on() -> Machine {
        let machine = Machine { world: World::new(), open: true };
        // The ids that processes have outside must be able to pass.
        fs::set_permissions(machine.world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        for (_, path) in OWN {
            fs::create_dir_all(machine.path(path)).unwrap();
        }
        said(machine.world.privileged("cp").args(["-a", "/etc/."]).arg(machine.path("/etc"))).ok();
        fs::create_dir_all(machine.path("/etc/bottle/policies")).unwrap();
        fs::copy(BOTTLE, machine.path("/usr/local/bin/bottle")).unwrap();
        symlink("bottle", machine.path("/usr/local/bin/bottle-oci")).unwrap();
        machine
    }

    /// Where a file of the machine's own is for the test.
    pub fn path(&self, path: &str) -> PathBuf {
        let (name, below) = OWN.iter().find_map(|(name, own)| Some((name, path.strip_prefix(own)?))).unwrap();
        self.world.path("machine").join(name).join(below.trim_start_matches('/'))
    }

    /// What the machine's administrator says.
    pub fn settings(&self, settings: &Value) {
        fs::write(self.path("/etc/bottle/hooks.json"), settings.to_string()).unwrap();
    }

    /// A policy that annotations can name.
    pub fn policy(&self, name: &str, meaning: &str) {
        fs::write(self.path("/etc/bottle/policies").join(name), format!("version: 1\n{meaning}")).unwrap();
    }

    /// A script of a shell's that has a mount namespace of its own see the machine's files.
    pub fn dress(&self) -> String {
        let own = OWN.map(|(_, path)| format!("mount --bind {} {path}", text(&self.path(path))));
        let close = (!self.open).then(|| CLOSE.join(" "));
        own.into_iter().chain(close).collect::<Vec<_>>().join(" && ")
    }

    /// A program that sees the machine's files.
    pub fn program(&self, program: &str) -> Command {
        let script = format!("{} && exec \"$@\"", self.dress());
        let mut command = self.world.privileged("unshare");
        command.args(["--mount", "sh", "-c", &script, "sh", program]);
        command.env("PATH", PATH).env_remove("BOTTLE_ROOT");
        command
    }

    /// The control group below which all containers are, in each hierarchy.
    pub fn group(&self) -> String {
        format!("bottle-test-{}", self.world.lab.pid())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
        for hierarchy in hierarchies.chain(["/sys/fs/cgroup".into()]) {
            remove(&hierarchy.join(self.group()));
        }
    }
}

/// A group and those in it, when the last process in them has ended, such as podman's that cleans up behind a container.
fn remove(group: &Path) {
    let below = fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path());
    below.filter(|path| path.is_dir()).for_each(|path| remove(&path));
    let begun = Instant::now();
    while let Some(pid) = first_in(group).filter(|_| begun.elapsed() < LIMIT) {
        if let Some(process) = Held::find(pid) {
            process.ends_within(LIMIT);
        }
    }
    let _ = fs::remove_dir(group);
}

fn first_in(group: &Path) -> Option<u32> {
    fs::read_to_string(group.join("cgroup.procs")).ok()?.lines().next()?.parse().ok()
}
