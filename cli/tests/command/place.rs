//! Where does a test run the command? In a directory of its own, with no environment but a state directory.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Output};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A directory for one test.
pub struct Place(tempfile::TempDir);

/// What the command did.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Place {
        Place(tempfile::tempdir().expect("a temporary directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect(name);
    }

    /// Runs `bottle` with these arguments in this directory.
    pub fn append(&self, name: &str, bytes: &[u8]) {
        let mut file = std::fs::File::options().append(true).open(self.path(name)).expect("the file");
        std::io::Write::write_all(&mut file, bytes).expect("it is written");
    }

    pub fn bottle(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().expect("the built command");
        Said::from(output)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("bottle"));
        command.args(arguments).current_dir(self.0.path()).env_clear().env("BOTTLE_ROOT", self.path("state"));
        command
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            code: output.status.code().expect("an exit code, not a signal"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

impl Said {
    /// The printed JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).expect("JSON on standard output")
    }
}

/// A terminal of 100 columns: the side that a person sees, and the other.
pub fn terminal() -> (File, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a terminal");
    grantpt(&master).expect("its other side");
    unlockpt(&master).expect("its other side");
    let other = ioctl_tiocgptpeer(&master, flags).expect("its other side");
    let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).expect("a size");
    (master.into(), other)
}
