//! What do the values of a policy text mean, and which of them mean nothing?

use std::{collections::BTreeSet, sync::Arc};

use serde_saphyr::{Location, Spanned};

use super::{
    Document, Problem, VERSION,
    written::{DefaultPolicy, Domain, NUMBER, Port, Range, Written},
};
use crate::{
    Pattern,
    rules::{DomainRule, List, Mode, Origin, Ports, RangeRule, parse_cidr},
    this_host,
};

/// Understands everything, or returns every problem.
pub(super) fn check(written: Written, source: &str) -> Result<Document, Vec<Problem>> {
    let mut check = Check { source: source.into(), problems: Vec::new() };
    check.head(&written);
    let domains = check.each(written.domains, Check::domain);
    let ranges = check.each(written.ip_ranges, Check::range);
    if check.problems.is_empty() { Ok(Document { mode: written.mode, domains, ranges }) } else { Err(check.problems) }
}

struct Check {
    source: Arc<str>,
    problems: Vec<Problem>,
}

impl Check {
    fn head(&mut self, written: &Written) {
        match &written.version {
            None => self.problem(Location::UNKNOWN, "`version` is missing", Some("write `version: 1` first")),
            Some(version) if version.value != VERSION => {
                let what = format!("unknown version `{}`", version.value.escape_debug());
                self.problem(version.referenced, what, Some("this program knows version 1"));
            }
            Some(_) => {}
        }
        match &written.default_policy {
            Some(policy) if policy.value == DefaultPolicy::Allow && written.mode != Some(Mode::Observe) => {
                let hint =
                    "write `default_policy: deny`, or add `mode: observe` to allow everything public and record it";
                self.problem(
                    policy.referenced,
                    "`default_policy: allow` is accepted only with `mode: observe`",
                    Some(hint),
                );
            }
            _ => {}
        }
        let doh = written.doh.as_ref().and_then(|doh| doh.enabled.as_ref());
        self.not_built(
            doh,
            "`doh.enabled: true` is not built yet",
            "write `enabled: false`: known DoH and DoT endpoints are denied",
        );
        let authoritative = written.dns.as_ref().and_then(|dns| dns.allow_authoritative.as_ref());
        self.not_built(
            authoritative,
            "`dns.allow_authoritative: true` is not built: no DNS query leaves a bottle",
            "write `allow_authoritative: false`, or leave `dns` out",
        );
    }

    fn not_built(&mut self, key: Option<&Spanned<bool>>, what: &'static str, hint: &'static str) {
        if let Some(key) = key.filter(|key| key.value) {
            self.problem(key.referenced, what, Some(hint));
        }
    }

    fn each<W, M>(
        &mut self,
        list: Option<Vec<Spanned<W>>>,
        one: fn(&mut Self, W, usize, Location) -> Option<M>,
    ) -> Vec<M> {
        let entries = list.into_iter().flatten().enumerate();
        entries.filter_map(|(index, entry)| one(self, entry.value, index, entry.referenced)).collect()
    }

    fn domain(&mut self, domain: Domain, index: usize, at: Location) -> Option<DomainRule> {
        let ports = self.ports(domain.ports);
        let pattern = match Pattern::parse(&domain.pattern.value) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.problem(domain.pattern.referenced, error.to_string(), error.hint());
                None
            }
        };
        let rule = DomainRule {
            allow_private: domain.allow_private.unwrap_or(false),
            origin: self.origin(List::Domains, index, at),
            pattern: pattern?,
            ports: ports?,
            protocol: domain.protocol.unwrap_or_default(),
            reason: domain.reason,
        };
        if let Err(error) = this_host::check(&rule) {
            self.problem(domain.pattern.referenced, error.to_string(), Some(error.hint()));
        }
        Some(rule)
    }

    fn range(&mut self, range: Range, index: usize, at: Location) -> Option<RangeRule> {
        let ports = self.ports(range.ports);
        let cidr = match parse_cidr(&range.cidr.value) {
            Ok(cidr) => Some(cidr),
            Err(error) => {
                self.problem(range.cidr.referenced, error.to_string(), error.hint());
                None
            }
        };
        Some(RangeRule {
            cidr: cidr?,
            origin: self.origin(List::IpRanges, index, at),
            ports: ports?,
            reason: range.reason,
        })
    }

    fn ports(&mut self, ports: Option<Spanned<Vec<Spanned<Port>>>>) -> Option<Ports> {
        let Some(ports) = ports else {
            return Some(Ports::All);
        };
        if ports.value.is_empty() {
            self.problem(
                ports.referenced,
                "an empty list of ports allows nothing",
                Some("name a port, or leave `ports` out to mean all of them"),
            );
            return None;
        }
        let mut meant = BTreeSet::new();
        let known = self.problems.len();
        for port in ports.value {
            match port.value {
                Port::Number(number) => match u16::try_from(number) {
                    Ok(number) if number > 0 => drop(meant.insert(number)),
                    _ => self.problem(
                        port.referenced,
                        format!("{number} is not a port"),
                        Some("ports go from 1 to 65535"),
                    ),
                },
                Port::Text(text) => self.problem(port.referenced, NUMBER, Some(&instead_of_port(&text))),
            }
        }
        (self.problems.len() == known).then_some(Ports::Only(meant))
    }

    fn origin(&self, list: List, index: usize, at: Location) -> Origin {
        let number = |place: u64| u32::try_from(place).unwrap_or(u32::MAX);
        Origin::Document {
            source: self.source.clone(),
            list,
            index,
            line: number(at.line()),
            column: number(at.column()),
        }
    }

    fn problem(&mut self, at: Location, what: impl Into<String>, hint: Option<&str>) {
        let problem = Problem::new(at, what);
        self.problems.push(match hint {
            Some(hint) => problem.hint(hint.to_owned()),
            None => problem,
        });
    }
}

/// What to write for a text that stands among ports.
fn instead_of_port(text: &str) -> String {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once(['-', ':']) {
        _ if is_number(text) => format!("leave out the quotes: {text}"),
        Some((first, last)) if is_number(first) && is_number(last) => {
            "there are no ranges: list each port, or leave `ports` out to mean all of them".to_owned()
        }
        _ => "ports are numbers, such as 443".to_owned(),
    }
}
