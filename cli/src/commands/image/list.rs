//! `bottle image ls`, `rm`, `inspect` and `prune`: what is here, and what goes?

use std::path::PathBuf;
use std::process::ExitCode;

use bottle_images::{Config, ID_DIGITS, Image, Store, identified, spellings};
use bottle_runtime::caller::Caller;
use serde_json::{Value, json};

use super::{failure, stored};
use crate::report::{Failure, Reporter, escape};
use crate::stdout;

/// A name that no image here has.
#[derive(Debug, thiserror::Error)]
#[error("there is no image {0:?} here")]
struct NotHere(String);

/// What another id's files keep here.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot remove {}{}: files in it have ids that are not the caller's, or not any more",
    first.display(),
    if *others > 0 { format!(" and {others} more") } else { String::new() }
)]
struct Stuck {
    first: PathBuf,
    others: usize,
}

fn not_here(name: &str) -> Failure {
    Failure::new(NotHere(name.to_owned())).with_hint("bottle image ls").with_code(1)
}

/// Prints a line for each name.
pub(super) fn ls(store: &Store, as_json: bool) -> Result<ExitCode, Failure> {
    let names = store.names().map_err(|error| failure(error.hint(), error))?;
    let mut rows = Vec::new();
    for (name, manifest) in names {
        let image = Image::read(store, manifest).map_err(|error| failure(error.hint(), error))?;
        let size: u64 = image.layers().iter().map(|layer| layer.size).sum();
        rows.push((name, image, size));
    }
    if as_json {
        let row = |(name, image, size): &(String, Image, u64)| json!({ "name": name, "digest": image.digest(), "id": image.id(), "size": size, "created": image.config().created });
        stdout::json(&rows.iter().map(row).collect::<Vec<Value>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).max(4);
    stdout::line(&format!("{:width$}  {:12}  {:>9}", "NAME", "ID", "SIZE"))?;
    for (name, image, size) in &rows {
        let name = escape(name);
        stdout::line(&format!("{name:width$}  {}  {:>9}", &image.id().hex()[..ID_DIGITS], bytes(*size)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Forgets each name, or all names of an image that is meant by its id; those that are not here are told, and the rest goes all the same.
pub(super) fn rm(store: &Store, names: &[String], caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for written in names {
        let forgotten = forget(store, written, caller)?;
        forgotten.iter().try_for_each(|name| stdout::line(&escape(name)))?;
        if forgotten.is_empty() {
            reporter.failure(&not_here(written));
            code = ExitCode::from(1);
        }
    }
    Ok(code)
}

/// The names that are gone.
fn forget(store: &Store, written: &str, caller: &Caller) -> Result<Vec<String>, Failure> {
    let remove = |name: &str| store.remove_name(name).map_err(|error| failure(error.hint(), error));
    let spelled = spellings(written, &caller.containers(), &caller.cwd);
    for name in spelled.map_err(|error| failure(error.hint(), error))? {
        if remove(&name)? {
            return Ok(vec![name]);
        }
    }
    let mut forgotten = Vec::new();
    for (name, _) in identified(store, written).map_err(|error| failure(error.hint(), error))? {
        if remove(&name)? {
            forgotten.push(name);
        }
    }
    Ok(forgotten)
}

/// Prints what an image is.
pub(super) fn inspect(store: &Store, name: &str, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let Some((name, image)) = stored(store, name, caller)? else {
        let failure = not_here(name);
        reporter.failure(&failure);
        return Ok(ExitCode::from(failure.code));
    };
    let layers = image.layers().iter().zip(image.diff_ids());
    let layers: Vec<Value> = layers
        .map(|(layer, diff_id)| json!({ "digest": layer.digest, "size": layer.size, "diff_id": diff_id }))
        .collect();
    stdout::json(&json!({
        "name": name,
        "digest": image.digest(),
        "id": image.id(),
        "config": config(image.config()),
        "layers": layers,
    }))?;
    Ok(ExitCode::SUCCESS)
}

fn config(config: &Config) -> Value {
    let env: Vec<String> = config.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "architecture": config.architecture,
        "os": config.os,
        "created": config.created,
        "env": env,
        "user": config.user,
        "working_dir": config.working_dir,
        "entrypoint": config.entrypoint,
        "cmd": config.cmd,
        "stop_signal": config.stop_signal,
        "labels": config.labels,
    })
}

/// Removes what nothing refers to and says what that was.
pub(super) fn prune(store: &Store, as_json: bool, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let pruned = store.prune(&caller.ids()).map_err(|error| failure(error.hint(), error))?;
    if as_json {
        stdout::json(&json!({
            "blobs": pruned.blobs,
            "layers": pruned.layers,
            "remains": pruned.remains,
            "bytes": pruned.bytes,
            "in_use": pruned.in_use,
            "stuck": pruned.stuck,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for digest in pruned.blobs.iter().chain(&pruned.layers) {
        stdout::line(&digest.to_string())?;
    }
    if pruned.in_use > 0 {
        reporter.say(&format!("{} unpacked layers are in use and stay", pruned.in_use));
    }
    reporter.say(&format!("{} are free now", bytes(pruned.bytes)));
    if let Some(first) = pruned.stuck.first() {
        let stuck = Stuck { first: first.clone(), others: pruned.stuck.len() - 1 };
        let all: Vec<String> = pruned.stuck.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::new(stuck).with_hint(format!("sudo rm -rf {}", all.join(" "))).with_code(1));
    }
    Ok(ExitCode::SUCCESS)
}

/// A size for a person.
fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", units[unit]) }
}
