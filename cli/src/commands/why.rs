//! `bottle why`: would this destination be let through, and what would change that?

use std::process::ExitCode;

use bottle_policy::Verdict;
use bottle_policy::why::{ask, why};
use bottle_runtime::caller::Caller;
use serde_json::json;

use crate::args::WhyArgs;
use crate::report::{Failure, Reporter, escape};
use crate::{rules, stdout};

/// Something that is no destination.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a destination")]
struct NotADestination {
    text: String,
    source: bottle_policy::HostError,
}

/// Runs the verb.
pub fn run(args: &WhyArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let rules = rules::stated(&args.policy, caller, reporter)?.rules;
    let request = ask(&args.destination).map_err(|source| {
        let hint = match args.destination.split_once("://") {
            Some(("tcp", _)) => "write tcp://NAME:PORT",
            Some(("http", _)) => "write http://NAME or http://NAME:PORT, and leave out what follows",
            Some(_) => "write NAME or NAME:PORT: leave out the scheme and what follows the name",
            None => "write NAME, NAME:PORT, ADDRESS or [V6ADDRESS]:PORT",
        };
        Failure::new(NotADestination { text: args.destination.clone(), source }).with_hint(hint)
    })?;
    let explanation = why(&rules, &request);
    let allowed = matches!(explanation.verdict, Verdict::Allow(_) | Verdict::Peek);
    if args.json {
        let digest = rules.digest_hex();
        stdout::json(&json!({ "allowed": allowed, "policy": digest, "explanation": explanation }))?;
    } else {
        stdout::line(&escape(&explanation.to_string()))?;
    }
    Ok(if allowed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
