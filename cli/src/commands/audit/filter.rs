//! Which entries were asked for?

use std::collections::BTreeSet;
use std::net::IpAddr;

use bottle_evidence::audit::{Choice, Decision, Entry, Process};

use crate::args::{AuditShowArgs, ChoiceArg};

/// What `--decision`, `--host` and `--pid` ask for. Entries must be given in the log's order: what became of an attempt is asked for if its
/// decision was.
pub struct Filter {
    choices: Vec<Choice>,
    host: Option<String>,
    pid: Option<u32>,
    /// Attempts of the open run whose decision was asked for and that have not ended.
    attempts: BTreeSet<u64>,
}

/// No run has so many open; of a log that says otherwise the earliest are forgotten, so that it does not fill the memory.
const MOST_OPEN: usize = 1 << 20;

impl Filter {
    /// The one that these options mean.
    pub fn new(args: &AuditShowArgs) -> Filter {
        let choices = args.decision.iter().map(|choice| match choice {
            ChoiceArg::Allow => Choice::Allow,
            ChoiceArg::Observe => Choice::Observe,
            ChoiceArg::Escalate => Choice::Escalate,
            ChoiceArg::Deny => Choice::Deny,
        });
        let host = args.host.as_ref().map(|host| host.trim_end_matches('.').to_ascii_lowercase());
        Filter { choices: choices.collect(), host, pid: args.pid, attempts: BTreeSet::new() }
    }

    /// Whether this one, the next of the log, was asked for.
    pub fn admits(&mut self, entry: &Entry) -> bool {
        if self.choices.is_empty() && self.host.is_none() && self.pid.is_none() {
            return true;
        }
        match entry {
            Entry::RunStart(_) => {
                self.attempts.clear();
                false
            }
            Entry::Decision(decision) => {
                let asked = self.is_asked(decision.decision, &host(decision), pid(decision));
                asked && self.begin(decision.attempt)
            }
            Entry::Outcome(outcome) => self.attempts.remove(&outcome.attempt),
            Entry::DnsDenied(denied) => self.is_asked(Choice::Deny, &denied.name.to_string(), None),
            Entry::Refused(refused) => {
                let address = refused.address.as_ref().map(IpAddr::to_string);
                self.is_asked(Choice::Deny, &address.unwrap_or_default(), None)
            }
            _ => false,
        }
    }

    fn begin(&mut self, attempt: u64) -> bool {
        let is_new = self.attempts.insert(attempt);
        if self.attempts.len() > MOST_OPEN {
            self.attempts.pop_first();
        }
        is_new
    }

    fn is_asked(&self, choice: Choice, host: &str, pid: Option<u32>) -> bool {
        (self.pid.is_none() || self.pid == pid)
            && (self.choices.is_empty() || self.choices.contains(&choice))
            && self.host.as_ref().is_none_or(|asked| match asked.strip_prefix("*.") {
                Some(above) => host.strip_suffix(above).is_some_and(|rest| rest.ends_with('.')),
                None => host == asked,
            })
    }
}

/// The process that wanted it, where it is known.
fn pid(decision: &Decision) -> Option<u32> {
    match &decision.process {
        Process::Known(known) => Some(known.pid),
        Process::Unknown(_) => None,
    }
}

/// The name, or the address where there was no name.
fn host(decision: &Decision) -> String {
    decision.name.as_ref().map_or_else(|| decision.address.to_string(), ToString::to_string)
}
