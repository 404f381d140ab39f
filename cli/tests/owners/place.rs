//! Where does a test run images, and who runs them? In a directory of its own, as whoever runs the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const BOTTLE: &str = env!("CARGO_BIN_EXE_bottle");
const IMAGE: &str = include_str!("image.py");

/// Whose ids a run of an image has here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Root's runs have a range of bottle's own.
    Nobodys,
    /// An ordinary user's own and those of its range.
    Range,
    /// An ordinary user's one.
    Callers,
}

/// A directory with an image.
pub struct Place {
    directory: tempfile::TempDir,
    /// What is run before bottle, with its arguments.
    before: Vec<&'static str>,
}

/// What a run did.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    /// With the image that this configuration goes with.
    pub fn new(config: &Value) -> Place {
        Place::with(config, 0, &[])
    }

    /// The same with so many more files in it, and what else there is to be.
    pub fn with(config: &Value, files: usize, also: &[&str]) -> Place {
        bottle_lab::require();
        let directory = tempfile::tempdir().unwrap();
        for name in ["home", "share"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let place = Place { directory, before: Vec::new() };
        let archive = place.path("image.tar");
        let words = ["-c", IMAGE, text(&archive), &config.to_string(), &files.to_string()];
        let made = Command::new("python3").args(words).args(also).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        place
    }

    /// With the image called `owners`.
    pub fn loaded(config: &Value) -> Place {
        let place = Place::new(config);
        place.load();
        place
    }

    pub fn load(&self) {
        let source = format!("docker-archive:{}", text(&self.path("image.tar")));
        self.bottle(&["image", "load", &source, "--tag", "owners"]).ok();
    }

    /// Forbids all programs more rights than they have, so that nobody maps ids of a range.
    pub fn without_range(&mut self) -> &mut Place {
        self.before = vec!["setpriv", "--no-new-privs"];
        self
    }

    pub fn with_range(&mut self) -> &mut Place {
        self.before = Vec::new();
        self
    }

    /// Whose ids runs must have, by what this process is: where root has made the user, it has a range.
    pub fn whose(&self) -> Whose {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap();
        let everybody = map.split_whitespace().eq(["0", "0", "4294967295"]);
        match rustix::process::geteuid().is_root() {
            true => Whose::Nobodys,
            false if everybody && self.before.is_empty() => Whose::Range,
            false => Whose::Callers,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A directory of the store.
    pub fn store(&self, name: &str) -> PathBuf {
        self.path("state/data/images").join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut words = self.before.iter().chain(&[BOTTLE]).copied();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(arguments).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        command.env("HOME", self.path("home")).env("BOTTLE_ROOT", self.path("state")).env("RUST_BACKTRACE", "1");
        command.current_dir(self.path("home")).stdin(Stdio::null());
        command
    }

    pub fn bottle(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// A shell in the image.
    pub fn shell(&self, options: &[&str], script: &str) -> Said {
        self.bottle(&[&["run"], options, &["owners", "--", "sh", "-c", script]].concat())
    }

    /// `HOST:INSIDE` for the directory `share`.
    pub fn volume(&self) -> String {
        format!("{}:/share", text(&self.path("share")))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Said {
    /// What it printed, if it succeeded.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.out
    }

    /// Why bottle refused.
    #[track_caller]
    pub fn refused(&self) -> &str {
        assert_eq!(self.code, 125, "{self:?}");
        &self.err
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The caller's uid and gid.
pub fn own() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// The first id that a file grants this user.
pub fn granted(file: &str) -> u32 {
    let (uid, passwd) = (own().0, fs::read_to_string("/etc/passwd").unwrap());
    let name = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid.to_string())).unwrap();
    let name = name.split(':').next().unwrap();
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("no range for {name} in {file}\nhint: tests/run, which gives one"));
    line.split(':').nth(1).unwrap().parse().unwrap()
}
