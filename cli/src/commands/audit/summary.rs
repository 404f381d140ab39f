//! What did each run of a verified log do? Its command, its end, and a row per host.

use std::path::Path;

use bottle_evidence::audit::HostRow;
use bottle_evidence::verify::{Completeness, LogReport, RunReport};
use serde_json::{Value, json};

use super::entry::{choice, mode};
use crate::report::escape;

/// One line about the log as a whole.
pub fn headline(file: &Path, report: &LogReport) -> String {
    let tears = match report.tears.len() {
        0 => String::new(),
        count => format!(", taken up again {count} times after its writer had died"),
    };
    let head = format!("{}:{}", report.head.seq, report.head.hash);
    format!(
        "{}: ok, {} lines, {} runs{tears}, head {head}",
        file.display(),
        report.lines,
        report.runs.len()
    )
}

/// One run: a line, and a line for each host.
pub fn run(run: &RunReport) -> String {
    let command: Vec<_> = run.start.command.iter().map(|word| word.as_str()).collect();
    let end = match &run.completeness {
        Completeness::Complete { end, .. } => {
            let reason = end
                .reason
                .as_ref()
                .map_or(String::new(), |reason| format!(" ({reason})"));
            format!("exit {}{reason} after {}", end.exit, millis(end.millis))
        }
        Completeness::Incomplete => "INCOMPLETE".to_owned(),
    };
    let mut text = format!(
        "run {} {}: {}: {end}",
        run.start.run,
        mode(run.start.mode),
        command.join(" ")
    );
    for row in &run.hosts {
        text.push('\n');
        text.push_str(&host(row));
    }
    if let Completeness::Complete { end, .. } = &run.completeness {
        for (class, count) in end.refused.iter().filter(|(_, count)| **count > 0) {
            text.push_str(&format!("\n  refused   {class}: {count} packets"));
        }
    }
    for line in &run.drifts {
        text.push_str(&format!(
            "\n  DRIFT     line {line}: the attestation is revoked from there on"
        ));
    }
    escape(&text)
}

fn host(row: &HostRow) -> String {
    let port = row.port.map_or(String::new(), |port| format!(":{port}"));
    let denied = if row.denied > 0 {
        format!(", {} denied", row.denied)
    } else {
        String::new()
    };
    format!(
        "  {:<9} {}{port}  {} connections{denied}, {} up, {} down, {}",
        choice(row.decision),
        row.name,
        row.connections,
        bytes(row.bytes_up),
        bytes(row.bytes_down),
        millis(row.millis),
    )
}

/// The whole report for a program.
pub fn as_json(report: &LogReport) -> Value {
    let runs: Vec<_> = report.runs.iter().map(run_as_json).collect();
    let tears: Vec<_> = report
        .tears
        .iter()
        .map(|tear| json!({ "line": tear.line, "torn": tear.torn }))
        .collect();
    json!({
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
        "drifts": run.drifts,
        "hosts": run.hosts,
        "end": end,
    })
}

/// A number of bytes as a person reads it.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration as a person reads it.
pub fn millis(count: u64) -> String {
    match count {
        0..1000 => format!("{count} ms"),
        1000..120_000 => format!("{:.1} s", count as f64 / 1000.0),
        _ => format!("{} min {} s", count / 60_000, count / 1000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_the_unit_that_fits() {
        let shown: Vec<_> = [0, 999, 1000, 999_949, 999_950, 1_234_567_890]
            .map(bytes)
            .into();
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "1.2 GB"]
        );
    }

    #[test]
    fn durations_are_shown_in_the_unit_that_fits() {
        assert_eq!(
            [0, 999, 1500, 125_000].map(millis),
            ["0 ms", "999 ms", "1.5 s", "2 min 5 s"]
        );
    }
}
