//! `bottle policy`: are these files policies, and what do they mean?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bottle_policy::document::DocumentError;
use bottle_policy::rules::Rules;
use bottle_policy::schema::SCHEMA;
use serde_json::{Value, json};

use crate::amount::counted;
use crate::args::{PolicyArgs, PolicyVerb};
use crate::report::{Failure, Reporter};
use crate::rules::{self, RulesError};
use crate::stdout;

/// Runs the verb.
pub fn run(verb: &PolicyVerb, reporter: Reporter) -> Result<ExitCode, Failure> {
    match verb {
        PolicyVerb::Check { files, json } => check(files, *json, reporter),
        PolicyVerb::Show { policy, json } => show(policy, *json),
        PolicyVerb::Schema => {
            stdout::line(SCHEMA.trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What one file turned out to be.
type Checked = Result<Rules, DocumentError>;

/// All files are checked, so that all errors are seen at once.
fn check(files: &[PathBuf], as_json: bool, reporter: Reporter) -> Result<ExitCode, Failure> {
    let mut answers = Vec::new();
    let mut all_good = true;
    for path in files {
        let checked = check_one(path)?;
        all_good &= checked.is_ok();
        match checked {
            _ if as_json => answers.push(answer(path, &checked)),
            Ok(rules) => stdout::line(&summary(path, &rules))?,
            Err(error) => reporter.failure(&Failure::new(error)),
        }
    }
    if as_json {
        stdout::json(&answers)?;
    }
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn check_one(path: &Path) -> Result<Checked, RulesError> {
    use bottle_policy::rules::RulesError::Document;
    match rules::read(path) {
        Ok(document) => Ok(Ok(Rules::from_documents(&[document])?)),
        Err(RulesError::Policy(Document(error))) => Ok(Err(error)),
        Err(error) => Err(error),
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
        }),
        Err(error) => {
            let problems: Vec<_> = error
                .problems()
                .iter()
                .map(|problem| {
                    json!({
                        "line": problem.line,
                        "column": problem.column,
                        "what": problem.what,
                        "hint": problem.hint,
                    })
                })
                .collect();
            json!({ "file": path, "ok": false, "problems": problems })
        }
    }
}

fn show(policy: &PolicyArgs, as_json: bool) -> Result<ExitCode, Failure> {
    let rules = rules::rules(policy)?;
    if as_json {
        stdout::line(&rules.meaning())?;
        return Ok(ExitCode::SUCCESS);
    }
    let meaning: Value = serde_json::from_str(&rules.meaning()).map_err(Failure::new)?;
    stdout::line(&format!("digest {}", rules.digest_hex()))?;
    stdout::json(&meaning)?;
    Ok(ExitCode::SUCCESS)
}
