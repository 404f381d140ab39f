//! What did a run write down? The audit log of one run, whose order and pairs are checked whenever it is read.

use std::collections::HashMap;
use std::path::Path;

use bottle_evidence::Time;
use bottle_evidence::audit::{Choice, Decision, Entry, HostRow, Outcome, RunEnd, RunStart};
use serde_json::Value;

/// The entries of a run, in order.
#[derive(Debug)]
pub struct Log(Vec<(Time, Entry)>);

impl Log {
    /// Reads a log of one run. Each attempt has one decision, and after it one outcome.
    pub fn read(path: &Path) -> Log {
        let log = Log::read_as_it_is(path);
        let decided: Vec<u64> = log.decisions().map(|decision| decision.attempt).collect();
        let mut ended: Vec<u64> = log.outcomes().map(|outcome| outcome.attempt).collect();
        let mut unique = decided.clone();
        unique.sort_unstable();
        ended.sort_unstable();
        assert_eq!(unique, ended, "each attempt has exactly one decision and one outcome: {log:#?}");
        unique.dedup();
        assert_eq!(unique.len(), decided.len(), "an attempt was decided upon twice: {log:#?}");
        let mut seen = std::collections::HashSet::new();
        for (_, entry) in &log.0 {
            match entry {
                Entry::Decision(decision) => assert!(seen.insert(decision.attempt)),
                Entry::Outcome(outcome) => assert!(seen.contains(&outcome.attempt), "{outcome:?} before its decision"),
                _ => {}
            }
        }
        log
    }

    /// Reads a log that need not be whole.
    pub fn read_as_it_is(path: &Path) -> Log {
        let files = bottle_runtime::segments::of(path).expect("the audit log's files");
        Log::parse(&files.iter().map(|file| std::fs::read_to_string(file).expect("the audit log")).collect::<String>())
    }

    /// What of this text is whole lines of a log.
    pub fn parse(text: &str) -> Log {
        let whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Log(whole.map(entry).collect())
    }

    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.decisions_in_time().map(|(_, decision)| decision)
    }

    pub fn decisions_in_time(&self) -> impl Iterator<Item = (Time, &Decision)> {
        self.0.iter().filter_map(|(time, entry)| match entry {
            Entry::Decision(decision) => Some((*time, decision)),
            _ => None,
        })
    }

    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.0.iter().filter_map(|(_, entry)| match entry {
            Entry::Outcome(outcome) => Some(outcome),
            _ => None,
        })
    }

    /// Each decision with its outcome.
    pub fn attempts(&self) -> Vec<(&Decision, &Outcome)> {
        let outcomes: HashMap<u64, &Outcome> = self.outcomes().map(|outcome| (outcome.attempt, outcome)).collect();
        self.decisions().map(|decision| (decision, outcomes[&decision.attempt])).collect()
    }

    /// The only attempt that there was.
    pub fn attempt(&self) -> (&Decision, &Outcome) {
        let attempts = self.attempts();
        assert_eq!(attempts.len(), 1, "{attempts:#?}");
        attempts[0]
    }

    /// The codes of all denials of connections, those that came after the decision too, in order.
    pub fn reasons(&self) -> Vec<String> {
        let reasons = self.attempts().into_iter().filter_map(|(decision, outcome)| {
            let late = outcome.reason.as_ref().filter(|_| decision.decision != Choice::Deny);
            let reason = decision.reason.as_ref().or(late)?.to_string();
            Some(reason.split(": ").next().unwrap_or_default().to_owned())
        });
        reasons.collect()
    }

    /// The names whose lookup was denied.
    pub fn names_denied(&self) -> Vec<String> {
        let denied = self.0.iter().filter_map(|(_, entry)| match entry {
            Entry::DnsDenied(denied) => Some(denied.name.to_string()),
            _ => None,
        });
        denied.collect()
    }

    /// The samples of refused packets.
    pub fn refused(&self) -> impl Iterator<Item = &bottle_evidence::audit::Refused> {
        self.0.iter().filter_map(|(_, entry)| match entry {
            Entry::Refused(refused) => Some(refused),
            _ => None,
        })
    }

    pub fn start(&self) -> &RunStart {
        let starts = self.0.iter().find_map(|(_, entry)| match entry {
            Entry::RunStart(start) => Some(start),
            _ => None,
        });
        starts.expect("a start of the run")
    }

    pub fn end(&self) -> &RunEnd {
        let ends = self.0.iter().find_map(|(_, entry)| match entry {
            Entry::RunEnd(end) => Some(end),
            _ => None,
        });
        ends.expect("an end of the run")
    }

    /// The row of one host.
    pub fn row(&self, name: &str) -> &HostRow {
        let rows = &self.end().hosts;
        rows.iter().find(|row| row.name.to_string() == name).unwrap_or_else(|| panic!("{name} in {rows:#?}"))
    }
}

/// Takes the chain's own members off, which are no part of the entry.
fn entry(mut line: Value) -> (Time, Entry) {
    let members = line.as_object_mut().expect("an object");
    let time = members["time"].as_str().expect("a time").parse().expect("a time");
    for own in ["seq", "prev", "time"] {
        members.remove(own);
    }
    (time, serde_json::from_value(line).expect("an entry"))
}
