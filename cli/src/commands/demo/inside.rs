//! What runs inside the bottle? This program again: it waits for a word, makes each attempt, and tells what the clients saw.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::attempt::{ATTEMPTS, Act, Attempt, Fetch, Observation, SECRET_FILE};
use super::client;

/// The file name under which this program is executed to make the attempts.
pub const NAME: &str = "bottle-demo-inside";
/// What it says when it runs, before anything is tried.
pub const READY: &str = "ready";

/// Makes the attempts if this process was executed for that, and ends; returns at once in any other process.
pub fn dispatch() {
    let name = std::env::args_os().next().map(PathBuf::from);
    if name.as_deref().and_then(Path::file_name).is_none_or(|name| name != NAME) {
        return;
    }
    let wanted = std::env::args().nth(1);
    let ended = match wanted.and_then(|text| serde_json::from_str(&text).ok()) {
        Some(attempt) => tell(&observe(attempt)),
        None => all(),
    };
    std::process::exit(i32::from(ended.is_err()));
}

/// Every attempt, once the one who watches has said so.
fn all() -> io::Result<()> {
    say(READY)?;
    io::stdin().lock().read_line(&mut String::new())?;
    ATTEMPTS.into_iter().try_for_each(|attempt| tell(&observe(attempt)))
}

fn tell(observation: &Observation) -> io::Result<()> {
    say(&serde_json::to_string(observation)?)
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn observe(attempt: Attempt) -> Observation {
    let secret = secret();
    let (shown, result) = match attempt.act() {
        Act::Fetch(fetch) => fetched(&fetch),
        Act::Ask(server) => {
            let question = Attempt::question(&secret);
            (format!("ask {server} for {question}"), client::ask(server, &question))
        }
        Act::Send(to) => (format!("send {SECRET_FILE} to {to} over UDP"), client::send(to, secret.as_bytes())),
    };
    let worked = result.is_ok();
    let told = result.unwrap_or_else(|told| told);
    let reset = tells_of_a_reset(&told);
    let said = told.lines().last().unwrap_or_default().to_owned();
    Observation { attempt, shown, worked, reset, said }
}

/// A pipe breaks only by a reset too: what is sent to a peer that closed in order is taken.
fn tells_of_a_reset(told: &str) -> bool {
    let told = told.to_lowercase();
    ["reset by peer", "broken pipe"].iter().any(|words| told.contains(words))
}

/// The value of the only line of the file.
fn secret() -> String {
    let text = std::fs::read_to_string(SECRET_FILE).unwrap_or_default();
    text.trim().split_once('=').map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// By curl where it is installed, else by the built-in client.
fn fetched(fetch: &Fetch) -> (String, Result<String, String>) {
    match curl(fetch) {
        Some(result) => (format!("curl {}", fetch.curl().join(" ")), result),
        None => (format!("(built-in client) {}", fetch.curl().join(" ")), client::fetch(fetch)),
    }
}

/// `None` where there is no curl.
fn curl(fetch: &Fetch) -> Option<Result<String, String>> {
    // In detail, since a reset that comes before curl has looked at its connection is not named in the last line.
    const QUIETLY: [&str; 7] = ["-sSv", "--max-time", "5", "-o", "/dev/null", "-w", "HTTP %{http_code}"];
    let output = Command::new("curl").args(QUIETLY).args(fetch.curl()).output().ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Some(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}
