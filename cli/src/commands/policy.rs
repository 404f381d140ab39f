//! `bottle policy`: are these files policies, and what do they mean?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bottle_policy::document::Problem;
use bottle_policy::rules::Rules;
use bottle_policy::schema::SCHEMA;
use bottle_runtime::caller::Caller;
use bottle_runtime::policy_file::{self, PolicyFileError};
use bottle_runtime::report::chain;
use serde_json::{Value, json};

use super::presets;
use crate::amount::counted;
use crate::args::{PolicyArgs, PolicyVerb};
use crate::report::{Failure, Reporter};
use crate::rules::{self, RulesError};
use crate::stdout;

/// Runs the verb.
pub fn run(verb: &PolicyVerb, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    match verb {
        PolicyVerb::Check { files, json } => check(files, *json, reporter),
        PolicyVerb::Show { files, policy, json } => show(files, policy, *json, caller, reporter),
        PolicyVerb::Presets { name, json } => presets::run(*name, *json, caller),
        PolicyVerb::Schema => {
            stdout::line(SCHEMA.trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What one file turned out to be.
type Checked = Result<Rules, RulesError>;

/// All files are checked, so that all errors are seen at once. The exit code is that of the worst.
fn check(files: &[PathBuf], as_json: bool, reporter: Reporter) -> Result<ExitCode, Failure> {
    let mut answers = Vec::new();
    let mut worst = 0;
    for path in files {
        let checked = check_one(path);
        worst = worst.max(code(&checked));
        match checked {
            _ if as_json => answers.push(answer(path, &checked)),
            Ok(rules) => {
                stdout::line(&summary(path, &rules))?;
                rules::idle(&rules).iter().for_each(|sentence| reporter.say(sentence));
            }
            Err(error) => reporter.failure(&error.into()),
        }
    }
    if as_json {
        stdout::json(&answers)?;
    }
    Ok(ExitCode::from(worst))
}

fn check_one(path: &Path) -> Checked {
    Ok(Rules::from_documents(&[policy_file::read(path)?])?)
}

/// 1 for what is no policy, 2 for what can't be read.
fn code(checked: &Checked) -> u8 {
    match checked {
        Ok(_) => 0,
        Err(RulesError::Policy(_) | RulesError::File(PolicyFileError::Document(_))) => 1,
        Err(_) => 2,
    }
}

fn summary(path: &Path, rules: &Rules) -> String {
    format!(
        "{}: ok, mode {}, {} and {}",
        path.display(),
        rules.mode(),
        counted(rules.domains().len() as u64, "name rule"),
        counted(rules.ranges().len() as u64, "address rule"),
    )
}

fn answer(path: &Path, checked: &Checked) -> Value {
    match checked {
        Ok(rules) => json!({
            "file": path,
            "ok": true,
            "mode": rules.mode(),
            "domains": rules.domains().len(),
            "ip_ranges": rules.ranges().len(),
            "digest": rules.digest_hex(),
            "warnings": rules::idle(rules),
        }),
        Err(error) => json!({ "file": path, "ok": false, "problems": problems(error) }),
    }
}

/// What is wrong in a file, place by place; of one that can't be read, why.
fn problems(error: &RulesError) -> Vec<Value> {
    let RulesError::File(PolicyFileError::Document(error)) = error else {
        return vec![json!({ "line": null, "column": null, "what": chain(error).join(": "), "hint": null })];
    };
    let row = |problem: &Problem| {
        json!({
            "line": problem.line,
            "column": problem.column,
            "what": problem.what,
            "hint": problem.hint,
        })
    };
    error.problems().iter().map(row).collect()
}

/// Files may be named as for `check` and as for `run`.
fn show(
    files: &[PathBuf],
    policy: &PolicyArgs,
    as_json: bool,
    caller: &Caller,
    reporter: Reporter,
) -> Result<ExitCode, Failure> {
    let mut policy = policy.clone();
    policy.policy.extend_from_slice(files);
    let rules = rules::stated(&policy, caller, reporter)?.rules;
    if as_json {
        stdout::line(&rules.meaning())?;
        return Ok(ExitCode::SUCCESS);
    }
    let meaning: Value = serde_json::from_str(&rules.meaning()).map_err(Failure::new)?;
    stdout::line(&format!("digest {}", rules.digest_hex()))?;
    stdout::json(&meaning)?;
    Ok(ExitCode::SUCCESS)
}
