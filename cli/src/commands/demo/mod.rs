//! `bottle demo`: the whole of it in a sealed lab. Every ✓ and ✗ is computed from what clients, captures and the log say.

pub mod inside;
pub mod stage;

mod attempt;
mod client;
mod judge;
mod proof;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ExitCode, Stdio};

use attempt::{Attempt, Observation};
use judge::{Claim, judge, stolen};
use stage::{Stage, StageError};

use crate::amount::counted;
use crate::report::{Failure, escape};
use crate::stdout;

/// What stopped the demo before it could show anything.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    /// What bottle said instead, with its own hint.
    #[error("the bottle did not start\n{0}")]
    NotStarted(String),
    #[error("the demo's processes do not answer")]
    Io(#[from] std::io::Error),
    #[error("the demo's internet does not answer")]
    Lab(#[from] bottle_lab::LabError),
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Failure {
        let hint = error.hint();
        Failure::new(error).with_hint(hint)
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Failure {
        let own = matches!(error, DemoError::NotStarted(_));
        let hint = (!own).then(|| "bottle doctor says what this host lacks".to_owned());
        Failure { hint, ..Failure::new(error) }
    }
}

/// Runs the verb.
pub fn run() -> Result<ExitCode, Failure> {
    let stage = Stage::build()?;
    stdout::line("A sealed internet in namespaces of its own. Nothing leaves this machine.\n")?;
    stdout::line(stage::policy().trim_end())?;
    stdout::line(
        "\n$ bottle run --policy agent.yaml --audit audit.jsonl --attestation attestation.json host -- ...\n",
    )?;

    let mut bottle = Bottle::start(&stage)?;
    let mut all = Tally::default();
    all.show("attested, and verified before the first attempt", &proof::attestation(&stage))?;
    let (observations, said) = bottle.finish()?;
    let world = stage.world().map_err(DemoError::Lab)?;
    let log = proof::entries(&stage);
    for observation in &observations {
        all.show(&format!("$ {}", observation.shown), &judge(observation, &world, &log, &stage.secret))?;
    }
    all.show("every attempt was made", &[made(&observations)])?;
    stdout::line("\nWhat bottle said meanwhile (its files are gone when the demo ends):")?;
    stdout::line(&indented(&said))?;
    stdout::line("\nThe audit log, verified against the key and the attestation:")?;
    stdout::line(&indented(&proof::log_text(&stage)))?;
    all.show("complete, sealed, and it began behind that attestation", &proof::log(&stage))?;
    let (title, found) = control(&stage)?;
    all.show(&title, &[found])?;
    Ok(if all.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// How many lines were not as claimed.
#[derive(Debug, Default)]
struct Tally {
    failed: usize,
}

impl Tally {
    /// A line with its mark, and below it what was found.
    fn show(&mut self, title: &str, claims: &[Claim]) -> Result<(), Failure> {
        let holds = claims.iter().all(|claim| claim.holds);
        self.failed += usize::from(!holds);
        let mark = if holds { '✓' } else { '✗' };
        let found: Vec<_> = claims
            .iter()
            .map(|claim| if claim.holds { claim.found.clone() } else { format!("✗ {}", claim.found) })
            .collect();
        stdout::line(&escape(&format!("{mark} {title}\n    {}", found.join(" · "))))
    }
}

fn made(observations: &[Observation]) -> Claim {
    let made: Vec<_> = observations.iter().map(|observation| observation.attempt).collect();
    Claim { found: format!("{} of {}", made.len(), attempt::ATTEMPTS.len()), holds: made == attempt::ATTEMPTS }
}

fn indented(text: &str) -> String {
    escape(text).lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// The bottle, held before the first attempt.
struct Bottle {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Bottle {
    /// Starts it and waits until the command inside says that it runs.
    fn start(stage: &Stage) -> Result<Bottle, DemoError> {
        let mut command = stage.in_a_bottle();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or_else(gone)?;
        let mut bottle = Bottle { child, out: BufReader::new(out) };
        let mut line = String::new();
        bottle.out.read_line(&mut line)?;
        if line.trim_end() != inside::READY {
            let output = bottle.child.wait_with_output()?;
            return Err(DemoError::NotStarted(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(bottle)
    }

    /// Lets it go on, and gives what the clients saw and what bottle said.
    fn finish(&mut self) -> Result<(Vec<Observation>, String), DemoError> {
        let mut go = self.child.stdin.take().ok_or_else(gone)?;
        go.write_all(b"go\n")?;
        drop(go);
        let mut observations = Vec::new();
        for line in (&mut self.out).lines() {
            observations.push(serde_json::from_str(&line?).map_err(std::io::Error::other)?);
        }
        let mut said = String::new();
        if let Some(mut err) = self.child.stderr.take() {
            std::io::Read::read_to_string(&mut err, &mut said)?;
        }
        self.child.wait()?;
        Ok((observations, said))
    }
}

fn gone() -> std::io::Error {
    std::io::ErrorKind::BrokenPipe.into()
}

/// The collector must get what is sent to it where nothing is in the way, or its silence proves nothing.
fn control(stage: &Stage) -> Result<(String, Claim), Failure> {
    let wanted = serde_json::to_string(&Attempt::ByName).map_err(Failure::new)?;
    let output = stage.without_a_bottle().arg(wanted).stdin(Stdio::null()).output().map_err(DemoError::Io)?;
    let seen: Observation = serde_json::from_slice(&output.stdout).map_err(Failure::new)?;
    let bytes = stolen(&stage.world().map_err(DemoError::Lab)?, &stage.secret);
    let found = format!("{} · {} arrived", seen.said, counted(bytes, "byte"));
    Ok((format!("without a bottle: $ {}", seen.shown), Claim { found, holds: bytes > 0 }))
}
