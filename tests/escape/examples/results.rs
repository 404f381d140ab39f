//! What gets out of bottle, and what of its peers? `shoot` runs the suite in one sandbox and prints a JSON line; `print` makes
//! docs/escape-results.md of such lines.

#[path = "../tests/range/mod.rs"]
mod range;

use std::collections::BTreeMap;
use std::path::Path;

use bottle_escape::judge::Outcome;
use bottle_escape::table;
use range::Range;
use range::engine::LEFT_OUT;
use range::sandbox::Sandbox;
use serde::{Deserialize, Serialize};

/// What became of all attempts in one sandbox.
#[derive(Serialize, Deserialize)]
struct Column {
    name: String,
    rows: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    class: String,
    id: String,
    severity: String,
    outcome: Outcome,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["shoot", name, "open"] => shoot(name, Sandbox::Open),
        ["shoot", name, "bottle"] => shoot(name, Sandbox::Bottle),
        ["shoot", name, "engine", engine] => shoot(name, Sandbox::Engine(engine)),
        ["shoot", name, "rootless", engine] => shoot(name, Sandbox::Rootless(engine)),
        ["shoot", name, script] => shoot(name, Sandbox::Peer(Path::new(script))),
        ["print", file] => {
            let text = std::fs::read_to_string(file).unwrap();
            print(&text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Column>>());
        }
        _ => panic!(
            "results shoot NAME open|bottle|SCRIPT, results shoot NAME engine|rootless ENGINE, results print FILE"
        ),
    }
}

fn shoot(name: &str, sandbox: Sandbox<'_>) {
    let verdicts = Range::new(sandbox).shoot(sandbox).verdicts;
    if sandbox.is_bottle() {
        let escaped = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Escaped);
        escaped.for_each(|verdict| eprintln!("{}", table::judged(verdict)));
    }
    let rows = verdicts.into_iter().map(|verdict| Row {
        class: verdict.class,
        id: verdict.id,
        severity: format!("{:?}", verdict.severity).to_lowercase(),
        outcome: verdict.outcome,
    });
    println!("{}", serde_json::to_string(&Column { name: name.to_owned(), rows: rows.collect() }).unwrap());
}

fn print(columns: &[Column]) {
    println!(
        "# What gets out\n\nWritten by `tests/escape/run`; tests/escape/README.md says how it is judged, and `tests/escape/peers` what \
         each sandbox is.\n`open` is no sandbox: what does not escape there is contained by the kernel, or the control would change \
         the machine.\nA sandbox without any network contains what goes there, and reaches nothing that is allowed either.\n\
         runc, crun, podman and containerd start their containers behind bottle's hooks. Of these the class `{}` is left out, and stands as n/a:\n{}.\n",
        LEFT_OUT.0, LEFT_OUT.1
    );
    println!("| sandbox | contained | escaped | not applicable |\n|---|---|---|---|");
    for column in columns {
        let [contained, escaped, left_out] = [Outcome::Contained, Outcome::Escaped, Outcome::NotApplicable]
            .map(|outcome| column.rows.iter().filter(|row| row.outcome == outcome).count());
        println!("| {} | {contained} | {escaped} | {left_out} |", column.name);
    }
    classes(columns);
    attempts(columns);
}

/// How many of each class escaped.
fn classes(columns: &[Column]) {
    println!("\nEscaped, by class:\n\n{}", head("class | attempts", 2, columns));
    let mut rows: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, column) in columns.iter().enumerate() {
        for row in &column.rows {
            let counts = rows.entry(&row.class).or_insert_with(|| vec![(0, 0); columns.len()]);
            counts[at].0 += 1;
            counts[at].1 += usize::from(row.outcome == Outcome::Escaped);
        }
    }
    for (class, counts) in rows {
        let escaped: Vec<String> = counts.iter().map(|(_, escaped)| escaped.to_string()).collect();
        println!("| {class} | {} | {} |", counts[0].0, escaped.join(" | "));
    }
}

/// What became of each.
fn attempts(columns: &[Column]) {
    println!("\nEach attempt:\n\n{}", head("class | attempt | severity", 3, columns));
    let mut rows: BTreeMap<(&str, &str), (&str, Vec<&str>)> = BTreeMap::new();
    for row in columns.iter().flat_map(|column| &column.rows) {
        rows.entry((&row.class, &row.id)).or_insert((&row.severity, Vec::new())).1.push(word(row.outcome));
    }
    for ((class, id), (severity, outcomes)) in rows {
        println!("| {class} | {id} | {severity} | {} |", outcomes.join(" | "));
    }
}

fn head(first: &str, width: usize, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    format!("| {first} | {} |\n|{}", names.join(" | "), "---|".repeat(width + names.len()))
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Contained => "contained",
        Outcome::Escaped => "**escaped**",
        Outcome::NotApplicable => "n/a",
    }
}
