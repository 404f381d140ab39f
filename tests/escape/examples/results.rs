//! What gets out of bottle, and what of its peers? Runs the suite in each and prints docs/escape-results.md.

#[path = "../tests/range/mod.rs"]
mod range;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bottle_escape::judge::{Outcome, Verdict};
use bottle_escape::table;
use range::{Range, Sandbox};

fn main() {
    let peers = peers();
    let mut columns: Vec<(String, Vec<Verdict>)> = Vec::new();
    for (name, sandbox) in [("open", Sandbox::Open), ("bottle", Sandbox::Bottle)] {
        columns.push((name.into(), Range::new(sandbox).shoot(sandbox).verdicts));
    }
    for script in &peers {
        let (name, sandbox) = (script.file_name().unwrap_or_default(), Sandbox::Peer(script));
        columns.push((name.to_string_lossy().into_owned(), Range::new(sandbox).shoot(sandbox).verdicts));
    }
    print(&columns);
}

/// Each executable below `peers`, in order.
fn peers() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
    let mut scripts: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    scripts.sort();
    scripts
}

fn print(columns: &[(String, Vec<Verdict>)]) {
    println!(
        "# What gets out\n\nWritten by `tests/escape/run`; tests/escape/README.md says how it is judged. `open` is no sandbox.\n"
    );
    println!("| sandbox | contained | escaped | not applicable |\n|---|---|---|---|");
    for (name, verdicts) in columns {
        let [contained, escaped, left_out] = table::sums(verdicts);
        println!("| {name} | {contained} | {escaped} | {left_out} |");
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    println!("\n| class | attempt | severity | {} |\n|---|---|---|{}", names.join(" | "), "---|".repeat(names.len()));
    let mut rows: BTreeMap<(&str, &str), (String, Vec<&str>)> = BTreeMap::new();
    for verdict in columns.iter().flat_map(|(_, verdicts)| verdicts) {
        let severity = format!("{:?}", verdict.severity).to_lowercase();
        rows.entry((&verdict.class, &verdict.id)).or_insert((severity, Vec::new())).1.push(word(verdict.outcome));
    }
    for ((class, id), (severity, outcomes)) in rows {
        println!("| {class} | {id} | {severity} | {} |", outcomes.join(" | "));
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Contained => "contained",
        Outcome::Escaped => "**escaped**",
        Outcome::NotApplicable => "n/a",
    }
}
