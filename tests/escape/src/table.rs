//! How do people and programs read it? One line a thing, aligned or as JSON.

use serde::Serialize;

use crate::attempt::Severity;
use crate::catalogue::Item;
use crate::judge::{Outcome, Verdict};
use crate::tried::Report;

/// One JSON line.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// An attempt as `list` shows it.
pub fn listed(item: &Item) -> String {
    format!("{:<12} {:<34} {:<9} {:<32} {}", item.class, item.id, severity(item.severity), item.surface, item.about)
}

/// An attempt as `run` shows it: what was tried, never what became of it.
pub fn reported(item: &Item, report: &Report) -> String {
    let last = report.tried.last().map_or("", String::as_str);
    format!("{:<12} {:<34} {:<9} {:?} {last}", item.class, item.id, severity(item.severity), report.ended)
}

/// A judged attempt; what escaped stands out.
pub fn judged(verdict: &Verdict) -> String {
    let outcome = match verdict.outcome {
        Outcome::Contained => "contained",
        Outcome::Escaped => "ESCAPED",
        Outcome::NotApplicable => "n/a",
    };
    format!(
        "{:<12} {:<34} {:<9} {outcome:<10} {}",
        verdict.class,
        verdict.id,
        severity(verdict.severity),
        verdict.detail
    )
}

/// Three numbers: contained, escaped, not applicable.
pub fn sums(verdicts: &[Verdict]) -> [usize; 3] {
    [Outcome::Contained, Outcome::Escaped, Outcome::NotApplicable]
        .map(|outcome| verdicts.iter().filter(|verdict| verdict.outcome == outcome).count())
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    }
}
