//! What does the demo need around it? A directory with a secret in it, a policy, a key, and a sealed internet.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use bottle_evidence::key::PublicKey;
use bottle_lab::{Helper, Lab, LabError, Options};
use bottle_runtime::keys::{KeyFileError, find_or_make};
use bottle_runtime::state::new_run_id;

use super::attempt::{ALLOWED, SECRET_FILE};
use super::client::CA;
use super::inside;
use super::judge::World;

/// The name under which this program is executed to make the demo's internet.
const LAB: &str = "bottle-lab";

/// Plays a process of the lab if this process was executed for that, and then gives its exit code.
pub fn dispatch() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let name = arguments.next().map(PathBuf::from)?;
    let is_lab = name.file_name() == Some(OsStr::new(LAB));
    is_lab.then(|| bottle_lab::helper::run(arguments))
}

/// Why the demo could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Its directory could not be made or filled.
    #[error("cannot make the demo's files")]
    Files(#[from] io::Error),
    /// Its internet could not be made.
    #[error("cannot make the demo's internet")]
    Lab(#[from] LabError),
    /// Its key could not be made.
    #[error(transparent)]
    Key(#[from] KeyFileError),
}

impl StageError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            StageError::Lab(_) => "bottle doctor says what this host lacks".into(),
            _ => "the demo needs a few files in the directory for temporary ones (TMPDIR)".into(),
        }
    }
}

/// All of it; gone when dropped.
#[derive(Debug)]
pub struct Stage {
    lab: Lab,
    directory: tempfile::TempDir,
    program: PathBuf,
    /// The text that must not leave.
    pub secret: String,
    /// The key that will sign.
    pub key: PublicKey,
}

impl Stage {
    /// Makes it.
    pub fn build() -> Result<Stage, StageError> {
        let directory = tempfile::Builder::new().prefix("bottle-demo.").tempdir()?;
        let at = |name: &str| directory.path().join(name);
        let program = std::env::current_exe()?;
        let secret = new_run_id()?;
        fs::create_dir(at("project"))?;
        fs::write(at("project").join(SECRET_FILE), format!("API_TOKEN={secret}\n"))?;
        fs::write(at("agent.yaml"), policy())?;
        for name in [LAB, inside::NAME] {
            symlink(&program, at(name))?;
        }
        let helper = Helper::new(at(LAB), None::<&str>);
        let lab = Lab::start(Options::default().helper(helper))?;
        fs::write(at("project/ca.pem"), lab.ca_pem())?;
        let key = find_or_make(&at("demo.key"))?.0;
        Ok(Stage { lab, directory, program, secret, key })
    }

    /// A file of the demo.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `bottle run` with the demo's policy, on the lab's host, in the project's directory.
    pub fn in_a_bottle(&self) -> Command {
        let mut command = self.lab.command(&self.program);
        let inside = format!("/tmp/{}", inside::NAME);
        let program = format!("{}:{inside}:ro", self.program.display());
        command.arg("run");
        for (option, file) in [
            ("--policy", "agent.yaml"),
            ("--audit", "audit.jsonl"),
            ("--attestation", "attestation.json"),
            ("--key", "demo.key"),
        ] {
            command.arg(option).arg(self.path(file));
        }
        command.args(["-e", CA, "-v", &program, "--timeout", "30s", "host", "--", &inside]);
        self.surround(&mut command);
        command
    }

    /// The same program on the same host without a bottle.
    pub fn without_a_bottle(&self) -> Command {
        let mut command = self.lab.command(self.path(inside::NAME));
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        let project = self.path("project");
        command.env(CA, project.join("ca.pem")).env("BOTTLE_ROOT", self.path("state")).current_dir(project);
    }

    /// What the internet saw until now.
    pub fn world(&self) -> Result<World, LabError> {
        let mut received = Vec::new();
        for service in ["web", "collector", "udp", "echo", "host"] {
            received.extend(self.lab.received(service)?);
        }
        Ok(World { received, packets: self.lab.all_packets()?, queries: self.lab.dns_queries()? })
    }
}

/// The demo's policy.
pub fn policy() -> String {
    format!("version: 1\ndomains:\n  - pattern: \"{ALLOWED}\"\n    ports: [443]\n    reason: \"model API\"\n")
}
