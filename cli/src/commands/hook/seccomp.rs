//! `bottle hook seccomp`: a profile that an engine can be told to use, so that the hooks do not refuse its containers.

use std::path::Path;
use std::process::ExitCode;

use bottle_runtime::bounded;
use bottle_runtime::wrapper::{Vsock, closed};
use serde_json::Value;

use crate::report::Failure;
use crate::stdout;

/// No profile is larger.
const MOST: u64 = 16 << 20;

/// Runs the verb.
pub fn run(file: Option<&Path>) -> Result<ExitCode, Failure> {
    let mut profile = file.map_or(Ok(Value::Null), read)?;
    closed(&mut profile, Vsock::Denied).map_err(Failure::new)?;
    stdout::line(&serde_json::to_string_pretty(&profile).map_err(Failure::new)?)?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Value, Failure> {
    let wrong = |why: String| Failure::new(format!("cannot use the profile {}: {why}", file.display()));
    let bytes = bounded::read(file, MOST).map_err(|error| wrong(error.to_string()))?;
    let profile: Value = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if profile.is_object() { Ok(profile) } else { Err(wrong("it is no JSON object".into())) }
}
