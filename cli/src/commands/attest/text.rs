//! How does an attestation look to a person?

use std::path::Path;

use bottle_evidence::predicate::{Basis, Fact, PUBLISHED, Predicate, Stage, UPSTREAM_PROXY};
use bottle_evidence::statement::Statement;
use bottle_evidence::verify::Verified;
use serde_json::Value;

use crate::report::escape;

/// Values longer than this are cut; `--json` has all of them.
const WIDEST: usize = 100;

/// What an accepted attestation proves, in four lines; one more where somebody else resolved the names, and where ports are published.
pub fn verified(file: &Path, verified: &Verified) -> String {
    let keys: Vec<_> = verified.keys().iter().map(ToString::to_string).collect();
    let predicate = verified.predicate();
    let count = |basis| predicate.facts.values().filter(|fact| fact.basis == basis).count();
    let probed = match count(Basis::Behavioural) {
        0 => String::new(),
        some => format!("{some} shown by probes, "),
    };
    let subjects = verified.subjects();
    escape(&format!(
        "{}: ok, signed by key {}\n\
         run {}, {}, mode {}, issued {}, valid until {}\n\
         policy {}\n\
         {} facts measured, {}{} only asserted; {} probes held{}{}",
        file.display(),
        keys.join(" and "),
        predicate.run,
        stage(predicate),
        mode(predicate),
        predicate.issued,
        predicate.expires,
        subjects.policy,
        count(Basis::Measured),
        probed,
        count(Basis::Asserted),
        predicate.probes.len(),
        predicate.facts.get(UPSTREAM_PROXY).map(through).unwrap_or_default(),
        predicate.facts.get(PUBLISHED).map(published).unwrap_or_default(),
    ))
}

/// Whose word it is that no name had a private address.
fn through(proxy: &Fact) -> String {
    let part = |name: &str| proxy.value[name].as_str().unwrap_or("?").to_owned();
    let with = if proxy.value["credentials"] == true { " with credentials" } else { "" };
    let place = format!("{}://{}:{}", part("scheme"), part("host"), proxy.value["port"]);
    format!("\ndialled through {place}{with}, whose word it is what addresses names had")
}

/// Where the host's programs could connect to which ports inside.
fn published(ports: &Fact) -> String {
    let one = |port: &Value| {
        let address = port["address"].as_str().unwrap_or("?");
        let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        format!("{address}:{} to port {}", port["port"], port["inside"])
    };
    let all: Vec<String> = ports.value.as_array().into_iter().flatten().map(one).collect();
    format!("\nreached from the host at {}", all.join(", "))
}

/// Everything that a statement says: of each fact why it may be believed, its value, and below it how it was had; a line for each probe.
pub fn statement(statement: &Statement) -> String {
    let predicate = &statement.predicate;
    let mut lines = vec![format!(
        "run {}, {}, mode {}, issued {}, valid until {}, nonce {}",
        predicate.run,
        stage(predicate),
        mode(predicate),
        predicate.issued,
        predicate.expires,
        predicate.nonce
    )];
    lines.extend(statement.subject.iter().map(|subject| format!("{:<10} {}", subject.name, subject.digest.sha256)));
    lines.extend(predicate.facts.iter().flat_map(|(name, fact)| {
        let value = cut(&fact.value.to_string());
        [format!("{:<12} {name:<26} {value}", basis(fact.basis)), format!("{:<39} by: {}", "", fact.how)]
    }));
    lines.extend(predicate.probes.iter().map(|probe| {
        let held = if probe.held { "held" } else { "FAILED" };
        let stage = if probe.confined { "confined" } else { "unconfined" };
        format!("probe        {:<20} {stage:<11} {held:<7} {}", probe.name, probe.observed)
    }));
    escape(&lines.join("\n"))
}

/// When it was measured.
fn stage(predicate: &Predicate) -> &'static str {
    match predicate.stage {
        Stage::Start => "at its start",
        Stage::Running => "while it ran",
    }
}

fn mode(predicate: &Predicate) -> &'static str {
    match predicate.mode {
        bottle_evidence::predicate::Mode::Enforce => "enforce",
        bottle_evidence::predicate::Mode::Observe => "observe",
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Behavioural => "probed",
        Basis::Asserted => "asserted",
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
