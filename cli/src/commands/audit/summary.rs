//! What did each run of a verified log do? Its command, its end, and a row per host.

use std::path::Path;

use bottle_evidence::audit::HostRow;
use bottle_evidence::verify::{Completeness, LogReport, RunReport};
use serde_json::{Value, json};

use super::entry::{choice, mode};
use crate::amount::{bytes, counted, millis, times};
use crate::report::escape;

/// One line about the log as a whole.
pub fn headline(file: &Path, report: &LogReport) -> String {
    let tears = match report.tears.len() {
        0 => String::new(),
        count => format!(", taken up again {} after its writer had died", times(count as u64)),
    };
    let head = format!("{}:{}", report.head.seq, report.head.hash);
    format!(
        "{}: ok, {}, {}{tears}, head {head}",
        file.display(),
        lines(report),
        counted(report.runs.len() as u64, "run"),
    )
}

/// How many, and in how many files if it is not one.
fn lines(report: &LogReport) -> String {
    let lines = counted(report.lines, "line");
    if report.segments > 1 { format!("{lines} in {} files", report.segments) } else { lines }
}

/// One run: a line, and a line for each host.
pub fn run(run: &RunReport) -> String {
    // Escaped word by word: a line of its own is what this program says.
    let command: Vec<_> = run.start.command.iter().map(ToString::to_string).collect();
    let end = match &run.completeness {
        Completeness::Complete { end, .. } => {
            let reason = end.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
            format!("exit {}{reason} after {}", end.exit, millis(end.millis))
        }
        Completeness::Incomplete => "INCOMPLETE".to_owned(),
    };
    let mut text = format!("run {} {}: {}: {end}", run.start.run, mode(run.start.mode), command.join(" "));
    for row in &run.hosts {
        text.push('\n');
        text.push_str(&host(row));
    }
    for row in &run.inbound {
        text.push_str(&format!(
            "\n  inbound   port {}  {}, {} in, {} out, {}",
            row.inside,
            counted(row.connections, "connection"),
            bytes(row.bytes_in),
            bytes(row.bytes_out),
            millis(row.millis),
        ));
    }
    if let Completeness::Complete { end, .. } = &run.completeness {
        for (class, count) in end.refused.iter().filter(|(_, count)| **count > 0) {
            let line = match class.as_str() {
                "opened" => format!("opened    connections to the gate: {}", counted(*count, "packet")),
                "answered" => format!("answered  by the gate itself: {}", counted(*count, "connection")),
                class => format!("refused   {class}: {}", counted(*count, "packet")),
            };
            text.push_str(&format!("\n  {line}"));
        }
    }
    for line in &run.drifts {
        text.push_str(&format!("\n  DRIFT     line {line}: the attestation is revoked from there on"));
    }
    escape(&text)
}

fn host(row: &HostRow) -> String {
    let port = row.port.map_or(String::new(), |port| format!(":{port}"));
    let denied = if row.denied > 0 { format!(", {} denied", row.denied) } else { String::new() };
    format!(
        "  {:<9} {}{port}  {}{denied}, {} up, {} down, {}",
        choice(row.decision),
        row.name,
        counted(row.connections, "connection"),
        bytes(row.bytes_up),
        bytes(row.bytes_down),
        millis(row.millis),
    )
}

/// The whole report for a program.
pub fn as_json(report: &LogReport) -> Value {
    let runs: Vec<_> = report.runs.iter().map(run_as_json).collect();
    let tears: Vec<_> = report.tears.iter().map(|tear| json!({ "line": tear.line, "torn": tear.torn })).collect();
    json!({
        "files": report.segments,
        "lines": report.lines,
        "head": { "seq": report.head.seq, "hash": report.head.hash },
        "unsealed": report.unsealed,
        "tears": tears,
        "runs": runs,
    })
}

fn run_as_json(run: &RunReport) -> Value {
    let end = match &run.completeness {
        Completeness::Complete { ended, end } => json!({ "time": ended, "says": end }),
        Completeness::Incomplete => Value::Null,
    };
    json!({
        "start": run.start,
        "started": run.started,
        "first": run.first,
        "entries": run.entries,
        "unanswered": run.unanswered,
        "renewals": run.renewals.iter().map(|renewal| renewal.line).collect::<Vec<_>>(),
        "drifts": run.drifts,
        "hosts": run.hosts,
        "inbound": run.inbound,
        "end": end,
    })
}
