//! Whom is attacked? Someone who runs bottle on a lab's host, with a project directory and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bottle_lab::{Lab, Options};

const BOTTLE: &str = env!("CARGO_BIN_EXE_bottle");

pub struct Victim {
    lab: Lab,
    directory: tempfile::TempDir,
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Victim {
    pub fn new() -> Victim {
        bottle_lab::require();
        let lab = Lab::start(Options::default()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        for name in ["project", "home"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        Victim { lab, directory }
    }

    pub fn project(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    /// A run of this command, with nothing allowed.
    pub fn command(&self, command: &[&str]) -> Command {
        let mut run = self.on_host(Path::new(BOTTLE));
        run.args(["run", "--timeout", "60", "host", "--"]).args(command).stdin(Stdio::null());
        run
    }

    /// Runs a shell script inside.
    pub fn shell(&self, script: &str) -> Run {
        let output = self.command(&["sh", "-c", script]).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A program on the host, in the project.
    pub fn on_host(&self, program: &Path) -> Command {
        let mut command = self.lab.command(program);
        let home = self.directory.path().join("home");
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", &home).env("LANG", "C.UTF-8");
        command.env("BOTTLE_ROOT", self.directory.path().join("state")).current_dir(self.project());
        command
    }
}
