//! How does what happens during a run look to the person who started it? One line for each thing, once.

use std::path::Path;

use bottle_evidence::audit::{Choice, HostRow};
use bottle_policy::Reason;
use bottle_runtime::event::Event;

use super::changes;
use crate::amount::{counted, times};
use crate::report::Reporter;

/// Prints one event.
pub fn tell(event: &Event, reporter: Reporter) {
    let words = words(event);
    // The command has ended, and may have meant to hide what is said of it.
    if matches!(event, Event::Changed { .. } | Event::Over(_)) && !words.is_empty() {
        reporter.recover();
    }
    words.iter().for_each(|line| reporter.say(line));
}

/// The lines that tell it.
pub fn words(event: &Event) -> Vec<String> {
    match event {
        Event::Running { .. } => vec![],
        Event::Published(ports) => ports.iter().map(|port| format!("published {port}")).collect(),
        Event::Blocked { host, port, reason, detail, allow } => {
            vec![blocked(&place(host, *port), reason, detail, allow.as_deref())]
        }
        Event::Unreachable { host, port, why } => {
            vec![format!("cannot reach {}, which is allowed: {}", place(host, Some(*port)), in_one_line(why))]
        }
        Event::Untold => vec!["further destinations are not named here; all are in the audit log".to_owned()],
        Event::Warning(text) => vec![format!("warning: {}", in_one_line(text))],
        Event::LedgerFailed(why) => {
            vec![format!("the audit log cannot be written, so everything is denied from now on: {why}")]
        }
        Event::Drift(what) => {
            vec![format!("what was attested no longer holds, so the command is being killed: {what}")]
        }
        Event::Changed { files, list } => changes::lines(files, list.as_deref()),
        Event::Over(outcome) => {
            let reason = outcome.reason.iter().map(|reason| format!("ended the command: {reason}"));
            reason.chain(outcome.shortages.iter().cloned()).chain(denials(&outcome.hosts, &outcome.audit)).collect()
        }
    }
}

fn place(host: &str, port: Option<u16>) -> String {
    match port {
        Some(port) if host.contains(':') => format!("[{host}]:{port}"),
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn blocked(place: &str, reason: &str, detail: &str, allow: Option<&str>) -> String {
    let detail = if detail.is_empty() { String::new() } else { format!(" ({})", in_one_line(detail)) };
    let mend = allow.map_or(String::new(), |allow| format!("; to allow it: {allow}"));
    format!("blocked {place}: {}{detail}{mend}", sentence(reason))
}

/// Words that came from outside must not begin a line of their own.
pub(super) fn in_one_line(text: &str) -> String {
    text.replace('\n', r"\n")
}

/// The sentence for a reason's code; the code itself where it is a newer one.
fn sentence(code: &str) -> &str {
    serde_json::from_value::<Reason>(code.into()).map_or(code, |reason| reason.sentence())
}

/// One line about all denials of a run, if there were any.
fn denials(hosts: &[HostRow], audit: &Path) -> Option<String> {
    let denied: Vec<_> = hosts.iter().filter(|row| row.decision == Choice::Deny).collect();
    let all: u64 = denied.iter().map(|row| row.denied).sum();
    let hosts = counted(denied.len() as u64, "host");
    let text = format!("{hosts} denied, {} in all; the reasons: bottle audit show {}", times(all), audit.display());
    (!denied.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_destination_is_one_line_with_the_option_that_allows_it() {
        let event = Event::Blocked {
            host: "registry.npmjs.org".into(),
            port: Some(443),
            reason: "no-rule".into(),
            detail: String::new(),
            allow: Some("--allow registry.npmjs.org".into()),
        };
        assert_eq!(
            words(&event),
            ["blocked registry.npmjs.org:443: no rule names this destination; to allow it: --allow registry.npmjs.org"]
        );
    }

    #[test]
    fn the_addresses_of_a_name_are_told_with_the_denial() {
        let event = Event::Blocked {
            host: "db.example".into(),
            port: Some(443),
            reason: "private-address".into(),
            detail: "resolved to 10.1.2.3".into(),
            allow: None,
        };
        assert_eq!(words(&event), ["blocked db.example:443: the address is private or special (resolved to 10.1.2.3)"]);
    }

    #[test]
    fn what_is_unreachable_is_one_line_whatever_was_said() {
        let (host, why) = ("a.example".into(), "port 443: no\nbottle: all is well".into());
        let event = Event::Unreachable { host, port: 443, why };
        assert_eq!(words(&event), [r"cannot reach a.example:443, which is allowed: port 443: no\nbottle: all is well"]);
    }

    #[test]
    fn what_no_option_allows_promises_none() {
        let (host, reason, detail) = ("fd00::1".into(), "novel".into(), String::new());
        let event = Event::Blocked { host, port: Some(80), reason, detail, allow: None };
        assert_eq!(words(&event), ["blocked [fd00::1]:80: novel"]);
    }

    fn row(decision: Choice, denied: u64) -> HostRow {
        HostRow {
            name: "x".into(),
            port: None,
            decision,
            connections: 2,
            denied,
            bytes_up: 0,
            bytes_down: 0,
            millis: 0,
        }
    }

    #[test]
    fn a_run_without_denials_ends_silently() {
        assert_eq!(denials(&[row(Choice::Allow, 0), row(Choice::Observe, 0)], Path::new("a")), None);
    }

    #[test]
    fn denials_are_summed_up_with_the_way_to_the_log() {
        let text = denials(&[row(Choice::Deny, 2), row(Choice::Deny, 1), row(Choice::Allow, 0)], Path::new("/a.jsonl"));
        assert_eq!(text.as_deref(), Some("2 hosts denied, 3 times in all; the reasons: bottle audit show /a.jsonl"));
        let text = denials(&[row(Choice::Deny, 1)], Path::new("a"));
        assert!(text.is_some_and(|text| text.starts_with("1 host denied, once in all")));
    }
}
