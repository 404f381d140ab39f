//! `bottle keep`: what is kept of earlier runs, and what goes?

use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::kept::{self, KeptError, KeptName};
use bottle_runtime::state::State;
use serde_json::{Value, json};

use crate::args::KeepVerb;
use crate::report::{Failure, Reporter, escape};
use crate::{state, stdout};

/// A name under which nothing is kept.
#[derive(Debug, thiserror::Error)]
#[error("nothing is kept as {0}")]
struct NothingKept(KeptName);

/// Runs the verb.
pub fn run(verb: &KeepVerb, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let state = state::open(caller)?;
    match verb {
        KeepVerb::Ls { json } => ls(&state, *json),
        KeepVerb::Rm { names } => rm(&state, names, caller, reporter),
    }
}

fn ls(state: &State, as_json: bool) -> Result<ExitCode, Failure> {
    let layers = kept::list(state).map_err(failure)?;
    if as_json {
        let row = |layer: &kept::Listed| json!({ "name": layer.name.to_string(), "image": layer.image });
        stdout::json(&layers.iter().map(row).collect::<Vec<Value>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = layers.iter().map(|layer| layer.name.to_string().len()).max().unwrap_or(0).max(4);
    stdout::line(&format!("{:width$}  IMAGE", "NAME"))?;
    for layer in &layers {
        stdout::line(&format!("{:width$}  {}", layer.name.to_string(), escape(&layer.image)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes each; those that are not there are told, and the rest goes all the same.
fn rm(state: &State, names: &[KeptName], caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for name in names {
        if kept::remove(state, name, &caller.ids()).map_err(failure)? {
            stdout::line(&name.to_string())?;
        } else {
            reporter.failure(&Failure::new(NothingKept(name.clone())).with_hint("bottle keep ls"));
            code = ExitCode::from(1);
        }
    }
    Ok(code)
}

fn failure(error: KeptError) -> Failure {
    Failure { hint: error.hint(), ..Failure::new(error) }
}
