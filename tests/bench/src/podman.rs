//! podman with a store of its own, without a network, and leaving nothing behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::images::ran;
use crate::measure::Setting;

/// Its store, which goes with this value.
pub(crate) struct Podman {
    root: PathBuf,
    run: PathBuf,
    /// Groups that were there before.
    parents: Vec<PathBuf>,
}

impl Podman {
    pub(crate) fn new(setting: &Setting, name: &str) -> Result<Podman, Failure> {
        let (root, run) = (setting.at(name), setting.at(&format!("{name}.run")));
        for directory in [&root, &run] {
            fs::create_dir(directory)?;
        }
        Ok(Podman { root, run, parents: parents() })
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.arg("--root").arg(&self.root).arg("--runroot").arg(&self.run);
        // The runtime that bottle is measured beside, whichever the host prefers.
        command
            .args(["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file"])
            .current_dir("/");
        command
    }

    /// `true` in an image. Its own limits are higher than some hosts' hard ones.
    pub(crate) fn run(&self, image: &str) -> Command {
        let mut run = self.command();
        run.args([
            "run",
            "--rm",
            "--network",
            "none",
            "--ulimit",
            "nofile=1024:1024",
            "--ulimit",
            "nproc=4096:4096",
            image,
        ]);
        run.arg("true");
        run
    }

    /// Brings an image into the store under a name.
    pub(crate) fn load(&self, from: &str, name: &str) -> Result<(), Failure> {
        let output = self.command().args(["pull", "--quiet", from]).output()?;
        let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ran(self.command().args(["tag", &id, name]))
    }
}

impl Drop for Podman {
    /// The groups are empty by now; what is not stays, and so does what was there before.
    fn drop(&mut self) {
        let _ = self.command().args(["system", "reset", "--force"]).output();
        for parent in parents().iter().filter(|parent| !self.parents.contains(parent)) {
            remove(parent);
        }
        for directory in [&self.root, &self.run] {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// The groups that podman makes for all its containers, one a hierarchy.
fn parents() -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    hierarchies.map(|hierarchy| hierarchy.path().join("libpod_parent")).filter(|path| path.exists()).collect()
}

fn remove(group: &Path) {
    for below in fs::read_dir(group).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
        remove(&below.path());
    }
    let _ = fs::remove_dir(group);
}
