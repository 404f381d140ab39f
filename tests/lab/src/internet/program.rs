//! How does a program of a test's own answer for a server? Executed once for each request.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// The type of the answer, and the answer.
///
/// # Errors
/// What kept the program from running, or that it failed.
pub(super) async fn answer(program: PathBuf, target: String, body: Vec<u8>) -> io::Result<(String, Vec<u8>)> {
    tokio::task::spawn_blocking(move || run(&program, &target, body)).await?
}

fn run(program: &Path, target: &str, body: Vec<u8>) -> io::Result<(String, Vec<u8>)> {
    let mut child = Command::new(program).arg(target).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let input = child.stdin.take();
    // A program that answers before it has read all would else be waited for.
    let writing = thread::spawn(move || input.map(|mut input| input.write_all(&body)));
    let output = child.wait_with_output()?;
    // One that does not want all of it has its reasons.
    let _ = writing.join();
    let failed = || io::Error::other(format!("{} ended with {}", program.display(), output.status));
    let end = output.stdout.iter().position(|byte| *byte == b'\n');
    let (kind, said) =
        end.filter(|_| output.status.success()).map(|end| output.stdout.split_at(end)).ok_or_else(failed)?;
    Ok((String::from_utf8_lossy(kind).into_owned(), said[1..].to_vec()))
}
