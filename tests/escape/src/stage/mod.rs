//! What stands around a sandbox? Canaries on the host, secrets that nothing inside should see, a terminal that is watched.

mod canaries;
mod directory;
pub(crate) mod limits;
mod messages;
mod name_cache;
mod proxy;
mod stand_ins;
pub(crate) mod terminal;
mod watch;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::field::Field;
use crate::sys;
use canaries::Canaries;
use watch::Watch;

/// What must never be seen inside, by place. The field does not have it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// In each of the secret files.
    pub file: String,
    /// In the environment of a process.
    pub environment: String,
}

/// What a control has around it besides.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Where a proxy listens that denies nothing.
    pub proxy: Option<SocketAddr>,
    /// Whether files of the machine's are covered by others that all may write.
    pub stand_ins: bool,
}

/// What a sandbox printed, and what canaries saw meanwhile.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staged {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub said: String,
    /// The port on the host's loopback that it went to, which is seen in captures and is no way out.
    pub said_to: u16,
    /// Where something arrived, and what.
    pub seen: Vec<(String, String)>,
}

/// Runs a sandbox among canaries, and takes them away again.
///
/// # Errors
/// Where a canary can't be put up or the sandbox can't be started.
pub fn stage(field: &Field, secrets: &Secrets, around: &Around, command: &[OsString]) -> io::Result<Staged> {
    if around.stand_ins {
        stand_ins::leave()?;
    }
    around.proxy.map_or(Ok(()), proxy::serve)?;
    for file in field.host.secret_files.iter().chain(&field.host.covered) {
        canaries::write(file, secrets.file.as_bytes())?;
    }
    let mut victim = victim(&secrets.environment, field.host.secret_files.first())?;
    field.host.directory.as_deref().map_or(Ok(()), directory::lay_out)?;
    let canaries = Canaries::put_up(&field.host)?;
    if around.stand_ins {
        stand_ins::put_up(&field.host)?;
    }
    let watch = Watch::begin(&field.seed);
    let (mut staged, terminal) = run(field, command)?;
    let mut seen = canaries.take_down();
    seen.extend(terminal);
    seen.extend(limits::changed(victim.id(), field));
    seen.push((
        "memory of a process".to_owned(),
        fs::read(format!("/proc/{}/environ", victim.id())).unwrap_or_default(),
    ));
    let _ = victim.kill();
    let _ = victim.wait();
    seen.extend(watch.end());
    seen.extend(field.host.directory.iter().flat_map(|shared| directory::look(shared, &field.seed)));
    let seen = seen.into_iter().filter(|(_, bytes)| !bytes.is_empty());
    staged.seen = seen.map(|(place, bytes)| (place, text(bytes))).collect();
    Ok(staged)
}

/// Removes what a stage made on the machine beyond a lab, in case that it was killed and could not do so itself.
pub fn clear(field: &Field) {
    canaries::clear(&field.host);
    field.host.directory.as_deref().into_iter().for_each(directory::open);
}

/// Where something arrived, and what.
type Seen = Vec<(String, Vec<u8>)>;

/// Runs the command with a watched terminal as its input and a connection of the host's as its standard error, and says what was
/// typed meanwhile, and what else became of the terminal.
fn run(field: &Field, command: &[OsString]) -> io::Result<(Staged, Seen)> {
    let (master, slave) = sys::terminal()?;
    sys::never_wait(master.as_fd())?;
    let (heard, error) = connection()?;
    let said_to = heard.local_addr()?.port();
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut sandbox = Command::new(program);
    sandbox.args(arguments).stdin(Stdio::from(slave.try_clone()?)).stdout(Stdio::piped()).stderr(Stdio::from(error));
    sys::lead_session(&mut sandbox);
    let running = sandbox.spawn();
    // It holds the other end of the connection, which ends with it.
    drop(sandbox);
    let said = std::thread::spawn(move || {
        let (mut heard, mut said) = (heard, Vec::new());
        // Ends with the end, or where an attempt has cut it.
        let _ = heard.read_to_end(&mut said);
        said
    });
    let output = running?.wait_with_output()?;
    let mut seen = terminal::changed(slave.as_fd(), field);
    let mut typed = Vec::new();
    // Ends with "nothing more for now", since the other end is still open.
    let _ = fs::File::from(master).read_to_end(&mut typed);
    seen.push(("terminal".to_owned(), typed));
    drop(slave);
    let said = text(said.join().unwrap_or_default());
    Ok((Staged { code: output.status.code(), out: text(output.stdout), said, said_to, seen: Vec::new() }, seen))
}

/// Both ends of a connection over the host's loopback.
fn connection() -> io::Result<(TcpStream, OwnedFd)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    Ok((listener.accept()?.0, near.into()))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A process with a secret in its environment, and a secret file open.
fn victim(secret: &str, open: Option<&std::path::PathBuf>) -> io::Result<Child> {
    let mut victim = Command::new(std::env::current_exe()?);
    if let Some(path) = open {
        victim.stdout(fs::File::open(path)?);
    }
    victim.arg("victim").env("API_TOKEN", secret).stdin(Stdio::piped()).spawn()
}
