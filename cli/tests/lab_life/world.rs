//! What does a test of this program hold? A lab, a directory with a project, and the built command.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bottle_lab::{Lab, Options};
use serde_json::Value;

use crate::running::Running;

pub const BOTTLE: &str = env!("CARGO_BIN_EXE_bottle");
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long anything may take that an event announces.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The numbers of namespaces are given out again at once, so whoever looks for them in all of /proc must be alone.
static TURN: RwLock<()> = RwLock::new(());

/// A lab and a directory.
pub struct World {
    pub lab: Lab,
    directory: tempfile::TempDir,
    _turn: Turn,
}

/// Held by its guard alone.
#[allow(dead_code, reason = "a guard is there to be dropped")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// What a run that has ended did.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> World {
        World::take(Turn::Shared(TURN.read().unwrap_or_else(PoisonError::into_inner)), Options::default())
    }

    /// While this one lives, no other test of this program has a world.
    pub fn alone() -> World {
        World::alone_in(Options::default())
    }

    /// The same with another lab.
    pub fn alone_in(options: Options) -> World {
        World::take(Turn::Alone(TURN.write().unwrap_or_else(PoisonError::into_inner)), options)
    }

    fn take(turn: Turn, options: Options) -> World {
        bottle_lab::require();
        let lab = Lab::start(options).unwrap();
        let directory = tempfile::tempdir().unwrap();
        for name in ["project", "home"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        World { lab, directory, _turn: turn }
    }

    /// A file of the test's, outside the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file in the project, which the workload shares.
    pub fn project(&self, name: &str) -> PathBuf {
        self.path("project").join(name)
    }

    /// Some program on the lab's host, in the project.
    pub fn program(&self, program: &str) -> Command {
        self.surround(self.lab.command(program))
    }

    /// A program with power over the lab's host.
    pub fn privileged(&self, program: &str) -> Command {
        self.surround(self.lab.privileged(program))
    }

    fn surround(&self, mut command: Command) -> Command {
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("RUST_BACKTRACE", "1");
        command.env("HOME", self.path("home")).env("BOTTLE_ROOT", self.path("state"));
        command.current_dir(self.path("project")).stdin(Stdio::null());
        command
    }

    /// `bottle` with these arguments.
    pub fn bottle(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(BOTTLE);
        command.args(arguments);
        command
    }

    /// `bottle run` with a log and an attestation beside the project.
    pub fn run(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(BOTTLE);
        command.args(["run", "--audit"]).arg(self.audit()).arg("--attestation").arg(self.attestation());
        command.args(arguments);
        command
    }

    /// A shell script in a `host` bottle that may reach nothing, to its end.
    pub fn shell(&self, script: &str) -> Said {
        said(&mut self.run(&["host", "--", "sh", "-c", script]))
    }

    /// Starts `bottle run` and goes on; the workload's lines and end come later.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.run(arguments))
    }

    pub fn audit(&self) -> PathBuf {
        self.path("audit.jsonl")
    }

    pub fn attestation(&self) -> PathBuf {
        self.path("attestation.json")
    }

    /// The entries of the log so far.
    pub fn entries(&self) -> Vec<Value> {
        entries(&self.audit())
    }

    /// The log's entries of this kind.
    pub fn entries_of(&self, kind: &str) -> Vec<Value> {
        self.entries().into_iter().filter(|entry| entry["kind"] == kind).collect()
    }

    /// Whether `bottle audit verify` is content with the log, and what it says.
    pub fn verify_log(&self) -> Said {
        said(&mut self.bottle(&["audit", "verify", text(&self.audit())]))
    }
}

/// Runs a command to its end.
pub fn said(command: &mut Command) -> Said {
    Said::from(command.output().unwrap())
}

pub fn entries(log: &Path) -> Vec<Value> {
    each_entry(log).collect()
}

/// The same, one after the other, for a log that is too long to be held. Where the last line of its last file is torn, as while it is written,
/// that counts for none.
pub fn each_entry(log: &Path) -> impl Iterator<Item = Value> + use<> {
    each_line(log).map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
}

/// The lines of all files of a log; none where there is no log.
fn each_line(log: &Path) -> impl Iterator<Item = String> + use<> {
    // A run that never began has none.
    let files = if log.exists() { bottle_runtime::segments::of(log).unwrap() } else { Vec::new() };
    let last = files.len().saturating_sub(1);
    files.into_iter().enumerate().flat_map(move |(at, file)| {
        let mut reader = BufReader::new(File::open(&file).unwrap_or_else(|error| panic!("{error}: {file:?}")));
        std::iter::from_fn(move || {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let is_whole = line.ends_with('\n');
            assert!(is_whole || line.is_empty() || at == last, "{file:?} ends within a line: {line}");
            is_whole.then_some(line)
        })
    })
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().unwrap_or_else(|| panic!("{output:?}"));
        Said { code, out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    /// What a run that must succeed printed.
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{self:#?}");
        &self.out
    }

    /// What a run said that bottle refused before anything started: why, and what to do.
    pub fn refused(&self) -> &str {
        assert_eq!(self.code, 125, "{self:#?}");
        assert!(self.err.starts_with("bottle: "), "{self:#?}");
        &self.err
    }
}

/// The options under which [`CONNECTED`] may connect.
pub const ALLOW_ECHO: [&str; 2] = ["--allow", "tcp://web.lab.example:7"];

/// A script of bash's: connects to the lab's echo service, proves it, says `ready`, and keeps the connection.
pub const CONNECTED: &str =
    "exec 3<>/dev/tcp/web.lab.example/7; echo ready >&3; read -r line <&3; echo $line; read -r forever";

impl World {
    /// A bottle whose workload holds a connection to the lab's echo service.
    pub fn connected(&self) -> Running {
        let [option, value] = ALLOW_ECHO;
        self.start(&[option, value, "host", "--", "bash", "-c", CONNECTED]).ready()
    }

    /// Waits until the connection of [`World::connected`] has ended at its other end.
    pub fn assert_cut(&self) {
        self.lab.wait_for(LIMIT, |received| received.service == "echo" && received.closed).unwrap();
    }
}
