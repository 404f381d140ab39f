//! What does a test of this program hold? A lab, a directory, and runs of the built command, each proven by log and capture.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bottle_lab::{Lab, Options};

use crate::log::Log;
use crate::wire::{self, Explained};

pub const BOTTLE: &str = env!("CARGO_BIN_EXE_bottle");
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A lab and a directory with the project that the bottle shares.
pub struct World {
    pub lab: Lab,
    directory: tempfile::TempDir,
    runs: AtomicUsize,
}

/// A run to be.
pub struct Bottle<'a> {
    world: &'a World,
    options: Vec<String>,
    image: String,
    variables: Vec<(String, String)>,
    also: Vec<SocketAddr>,
    also_names: Vec<String>,
    number: usize,
    audit: PathBuf,
}

/// What a run did, and what it wrote down.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub log: Log,
}

impl World {
    pub fn new() -> World {
        World::with(Options::default())
    }

    pub fn with(options: Options) -> World {
        bottle_lab::require();
        let lab = Lab::start(options).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("project")).unwrap();
        let world = World { lab, directory, runs: AtomicUsize::new(0) };
        world.write("client.py", include_str!("client.py"));
        world
    }

    /// A file of the test's, outside the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file in the project.
    pub fn project(&self, name: &str) -> PathBuf {
        self.path("project").join(name)
    }

    /// Writes a file into the project.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.project(name), text).unwrap();
    }

    /// A run with these options.
    pub fn bottle(&self, options: &[&str]) -> Bottle<'_> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let options = options.iter().map(ToString::to_string).collect();
        let (image, audit) = ("host".to_owned(), self.path(&format!("audit-{number}.jsonl")));
        let (variables, also, also_names) = (Vec::new(), Vec::new(), Vec::new());
        Bottle { world: self, options, image, variables, also, also_names, number, audit }
    }

    /// A run with this policy.
    pub fn policy(&self, text: &str) -> Bottle<'_> {
        let mut bottle = self.bottle(&["--policy"]);
        let file = self.path(&format!("policy-{}.yaml", bottle.number));
        fs::write(&file, format!("version: 1\n{text}")).unwrap();
        bottle.options.push(file.to_str().unwrap().to_owned());
        bottle
    }

    /// A run in which these are allowed, each as `--allow` has it.
    pub fn allow(&self, allowed: &[&str]) -> Bottle<'_> {
        let options: Vec<&str> = allowed.iter().flat_map(|allowed| ["--allow", allowed]).collect();
        self.bottle(&options)
    }

    /// Any other verb of the command, on the lab's host.
    pub fn verb(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.surround(self.lab.command(BOTTLE).args(arguments)).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
    }

    fn surround<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        fs::create_dir_all(self.path("home")).unwrap();
        command.env_clear().env("PATH", PATH).env("HOME", self.path("home")).env("BOTTLE_ROOT", self.path("state"));
        command.env("LANG", "C.UTF-8").env("RUST_BACKTRACE", "1").current_dir(self.path("project"))
    }
}

impl Bottle<'_> {
    pub fn option(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.options.extend([name.to_owned(), value.as_ref().to_str().unwrap().to_owned()]);
        self
    }

    /// Runs in this image.
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = image.into();
        self
    }

    /// This place may be dialled too, which the zone does not tell.
    pub fn also(mut self, place: &str) -> Self {
        self.also.push(place.parse().unwrap());
        self
    }

    /// This name may be looked up too, which no decision names.
    pub fn also_name(mut self, name: &str) -> Self {
        self.also_names.push(name.to_owned());
        self
    }

    /// A variable of the caller's environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the log to this place.
    pub fn audited_at(mut self, file: impl Into<PathBuf>) -> Self {
        self.audit = file.into();
        self
    }

    pub fn audit(&self) -> &Path {
        &self.audit
    }

    fn command(&self, command: &[&str]) -> Command {
        let mut run = self.world.lab.command(BOTTLE);
        run.arg("run").args(["--timeout", "60"]).arg("--audit").arg(self.audit()).args(&self.options);
        run.args([&self.image, "--"]).args(command);
        self.world.surround(&mut run).envs(self.variables.iter().map(|(name, value)| (name, value)));
        run
    }

    /// Starts it with pipes, for a test that does something meanwhile.
    pub fn start(&self, command: &[&str]) -> Child {
        let pipes = |run: &mut Command| run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        pipes(&mut self.command(command)).unwrap()
    }

    /// Runs it to its end, and asserts that its log verifies and that the log explains every packet that left the host.
    pub fn run(&self, command: &[&str]) -> Run {
        let since = now();
        let output = self.command(command).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (out, err) = (text(output.stdout), text(output.stderr));
        let code = output.status.code().unwrap_or_else(|| panic!("{} {err}", output.status));
        assert_ne!(code, 125, "{err}");
        let (verified, said) = self.world.verb(&["audit", "verify", path(self.audit())]);
        assert_eq!(verified, 0, "{said}\n{err}");
        let log = Log::read(self.audit());
        let mut explained = Explained::by(&log, &self.world.lab);
        self.also.iter().for_each(|place| explained.and(*place));
        self.also_names.iter().for_each(|name| explained.and_name(name));
        wire::check(&self.world.lab, &explained, since);
        Run { code, out, err, log }
    }

    /// Runs a Python script that has all of `client.py`; gives the run and the lines that it printed.
    pub fn python(&self, script: &str) -> (Vec<String>, Run) {
        let run = self.run(&["python3", "-c", &format!("from client import *\n{script}")]);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        (run.out.lines().map(str::to_owned).collect(), run)
    }
}

impl Run {
    /// What a command that must succeed printed.
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{}{}\n{:#?}", self.out, self.err, self.log);
        self.out.trim_end()
    }
}

/// Lets a program that waits for a line go on.
pub fn go_on(child: &mut Child) {
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Nanoseconds since 1970, as the capture counts.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}
