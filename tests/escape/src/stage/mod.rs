//! What stands around a sandbox? Canaries on the host, secrets that nothing inside should see, a terminal that is watched.

mod canaries;
mod proxy;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::field::Field;
use crate::sys;
use canaries::Canaries;

/// What must never be seen inside, by place. The field does not have it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// In each of the secret files.
    pub file: String,
    /// In the environment of a process.
    pub environment: String,
}

/// What a sandbox printed, and what canaries saw meanwhile.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staged {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Where something arrived, and what.
    pub seen: Vec<(String, String)>,
}

/// Runs a sandbox among canaries, and takes them away again. A proxy that denies nothing listens where one is asked for.
///
/// # Errors
/// Where a canary can't be put up or the sandbox can't be started.
pub fn stage(field: &Field, secrets: &Secrets, proxy: Option<SocketAddr>, command: &[OsString]) -> io::Result<Staged> {
    proxy.map_or(Ok(()), proxy::serve)?;
    for file in &field.host.secret_files {
        canaries::write(file, secrets.file.as_bytes())?;
    }
    let mut victim = victim(&secrets.environment, field.host.secret_files.first())?;
    let canaries = Canaries::put_up(&field.host)?;
    let (master, slave) = sys::terminal()?;
    sys::never_wait(std::os::fd::AsFd::as_fd(&master))?;
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut sandbox = Command::new(program);
    sandbox.args(arguments).stdin(Stdio::from(slave.try_clone()?)).stdout(Stdio::piped());
    sys::lead_session(&mut sandbox);
    let output = sandbox.spawn()?.wait_with_output()?;
    let mut seen = canaries.take_down();
    let mut typed = Vec::new();
    // Ends with "nothing more for now", since the other end is still open.
    let _ = fs::File::from(master).read_to_end(&mut typed);
    seen.push(("terminal".to_owned(), typed));
    let _ = victim.kill();
    let _ = victim.wait();
    drop(slave);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let seen = seen.into_iter().filter(|(_, bytes)| !bytes.is_empty());
    let seen = seen.map(|(place, bytes)| (place, text(bytes))).collect();
    Ok(Staged { code: output.status.code(), out: text(output.stdout), seen })
}

/// A process with a secret in its environment, and a secret file open.
fn victim(secret: &str, open: Option<&std::path::PathBuf>) -> io::Result<Child> {
    let mut victim = Command::new(std::env::current_exe()?);
    if let Some(path) = open {
        victim.stdout(fs::File::open(path)?);
    }
    victim.arg("victim").env("API_TOKEN", secret).stdin(Stdio::piped()).spawn()
}
