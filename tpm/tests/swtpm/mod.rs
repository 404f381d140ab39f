//! A TPM for a test: swtpm, with a state of its own, ended with the test.
//!
//! It needs `swtpm` and tpm2-tools (Debian's packages of these names), and fails without them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const HINT: &str = "hint: this test needs swtpm and tpm2-tools: apt-get install swtpm tpm2-tools";

pub struct Swtpm {
    directory: tempfile::TempDir,
    process: Child,
}

impl Swtpm {
    /// One that nobody has used.
    pub fn new() -> Swtpm {
        Swtpm::started(tempfile::tempdir().unwrap())
    }

    /// The same one after its machine was started anew: its PCRs are as they were at first.
    pub fn restarted(mut self) -> Swtpm {
        self.end();
        let empty = tempfile::tempdir().unwrap();
        let directory = std::mem::replace(&mut self.directory, empty);
        std::fs::remove_file(directory.path().join("socket")).unwrap();
        std::fs::remove_file(directory.path().join("socket.ctrl")).unwrap();
        Swtpm::started(directory)
    }

    fn started(directory: tempfile::TempDir) -> Swtpm {
        let socket = directory.path().join("socket");
        // Listened at before it is started, so that nobody has to wait until it does.
        let listener = UnixListener::bind(&socket).unwrap();
        let state = format!("dir={}", directory.path().display());
        let control = format!("type=unixio,path={}.ctrl", socket.display());
        let process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--server", "type=unixio,fd=0", "--ctrl", &control, "--tpmstate", &state])
            .args(["--flags", "not-need-init,startup-clear"])
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stderr(Stdio::null())
            .spawn();
        let process = process.unwrap_or_else(|error| panic!("swtpm cannot be started: {error}\n{HINT}"));
        let mut started = Swtpm { directory, process };
        // Tools ask there too, and it makes that one itself.
        while UnixStream::connect(format!("{}.ctrl", socket.display())).is_err() {
            let ended = started.process.try_wait().unwrap();
            assert!(ended.is_none(), "swtpm ended: {ended:?}");
            std::thread::yield_now();
        }
        started
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// One of tpm2-tools, which shares no code with us; its files are relative to `place`.
    pub fn tool(&self, name: &str, arguments: &[&str], place: &Path) -> Output {
        let tcti = format!("swtpm:path={}", self.socket().display());
        let output = Command::new(name)
            .args(arguments)
            .current_dir(place)
            .env("TPM2TOOLS_TCTI", tcti)
            .env("TSS2_LOG", "all+none")
            .output();
        output.unwrap_or_else(|error| panic!("{name} cannot be started: {error}\n{HINT}"))
    }

    /// Measures something into a PCR, as firmware does.
    pub fn extend(&self, pcr: u8) {
        let argument = format!("{pcr}:sha256={}", "5a".repeat(32));
        let said = self.tool("tpm2_pcrextend", &[&argument], self.directory.path());
        assert!(said.status.success(), "{said:?}");
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether tpm2_checkquote, which needs no TPM, accepts this quote as the answer to this question.
pub fn checkquote(key: &[u8], attested: &[u8], signature: &[u8], qualifying: &str) -> bool {
    let place = tempfile::tempdir().unwrap();
    for (name, bytes) in [("key.der", key), ("attested", attested), ("signature", signature)] {
        std::fs::write(place.path().join(name), bytes).unwrap();
    }
    let run = |name: &str, arguments: &[&str]| {
        let output = Command::new(name).args(arguments).current_dir(&place).env("TSS2_LOG", "all+none").output();
        output.unwrap_or_else(|error| panic!("{name} cannot be started: {error}\n{HINT}")).status.success()
    };
    assert!(run("openssl", &["pkey", "-pubin", "-inform", "DER", "-in", "key.der", "-out", "key.pem"]));
    run("tpm2_checkquote", &["-u", "key.pem", "-m", "attested", "-s", "signature", "-g", "sha256", "-q", qualifying])
}
