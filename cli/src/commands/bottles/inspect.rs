//! `bottle inspect`: what is known of a bottle?

use std::path::Path;
use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::records::{Condition, Known};
use serde_json::{Value, json};

use super::text::state;
use super::{each, find, shelf};
use crate::args::InspectArgs;
use crate::report::{Failure, Reporter};
use crate::stdout;

/// Runs the verb: a list, of those that there are.
pub fn run(args: &InspectArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let shelf = shelf(caller)?;
    let mut found = Vec::new();
    let code = each(&args.names, reporter, |name| {
        found.push(as_json(&find(&shelf, name)?));
        Ok(())
    });
    stdout::json(&found)?;
    Ok(code)
}

/// The record and what became of its run.
pub fn as_json(known: &Known) -> Value {
    let record = &known.record;
    let alive = known.is_alive();
    let end = if let Condition::Ended(end) = &known.condition { Some(end) } else { None };
    json!({
        "id": record.id,
        "name": record.name,
        "state": state(&known.condition),
        "image": { "name": record.image, "sha256": record.image_digest },
        "command": record.command,
        "user": record.user,
        "workdir": record.workdir,
        "terminal": record.terminal,
        "detached": record.detached,
        "afterwards": record.afterwards,
        "stop_signal": record.stop_signal,
        "policy": record.policy,
        "upstream_proxy": record.upstream_proxy,
        "published": record.published,
        "log": known.log().map(|log| log.display().to_string()),
        "audit": record.audit,
        "attestation": record.attestation,
        "changes": Path::new(&record.changes).exists().then_some(&record.changes),
        "created": record.created,
        "started": record.running.as_ref().map(|running| running.started),
        "supervisor": alive.then_some(record.supervisor),
        "workload": record.running.as_ref().filter(|_| alive).map(|running| running.workload),
        "end": end,
    })
}
