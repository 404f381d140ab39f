//! `bottle policy presets`: which policies come with the program, and what does one of them allow here?

use std::process::ExitCode;

use bottle_policy::rules::Rules;
use bottle_runtime::caller::Caller;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::presets::{Policy, Preset};
use crate::report::{Failure, escape};
use crate::rules::RulesError;
use crate::stdout;

/// Runs the verb.
pub fn run(preset: Option<Preset>, as_json: bool, caller: &Caller) -> Result<ExitCode, Failure> {
    match preset {
        None => list(as_json)?,
        Some(preset) => show(preset, as_json, caller)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(as_json: bool) -> Result<(), Failure> {
    if as_json {
        return stdout::json(&Preset::value_variants().iter().map(|preset| summary(*preset)).collect::<Vec<_>>());
    }
    for preset in Preset::value_variants() {
        stdout::line(&format!("{:12} {}", preset.name(), preset.about()))?;
    }
    Ok(())
}

fn summary(preset: Preset) -> Value {
    json!({ "name": preset.name(), "about": preset.about(), "generated": preset.is_generated() })
}

fn show(preset: Preset, as_json: bool, caller: &Caller) -> Result<(), Failure> {
    let Policy { yaml, document, deciding, notes, .. } = preset.policy(caller).map_err(RulesError::from)?;
    if !as_json {
        return stdout::line(&escape(&yaml));
    }
    let rules = Rules::from_documents(&[document]).map_err(RulesError::from)?;
    let meaning: Value = serde_json::from_str(&rules.meaning()).map_err(Failure::new)?;
    let mut shown = summary(preset);
    shown["yaml"] = yaml.into();
    shown["rules"] = meaning;
    shown["digest"] = rules.digest_hex().into();
    shown["deciding"] = deciding.iter().map(|path| path.display().to_string()).collect();
    shown["notes"] = notes.into();
    stdout::json(&shown)
}
