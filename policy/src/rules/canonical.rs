//! How are rules written down so that the same meaning gives the same bytes?

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{DomainRule, Mode, Ports, Protocol, RangeRule, Rules, parse_cidr};
use crate::Pattern;
use crate::this_host::{self, ThisHostError};

/// Why a text is not what [`Rules::to_canonical`] wrote.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Not the JSON of rules.
    #[error("these are no rules in canonical form")]
    Json(#[from] serde_json::Error),
    /// A range that no document could have named.
    #[error("a range in canonical form: {0}")]
    Cidr(#[from] super::CidrError),
    /// A rule about the host's loopback that no document could have had.
    #[error("a rule in canonical form: {0}")]
    ThisHost(#[from] ThisHostError),
    /// Another version of this program wrote it.
    #[error("canonical form {0} is not known")]
    Version(u32),
}

const VERSION: u32 = 1;

// Fields stand in alphabetical order: with only ASCII keys and integers this is the canonical form of RFC 8785.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    domains: Vec<DomainRule>,
    ip_ranges: Vec<RangeRule>,
    mode: Option<Mode>,
    version: u32,
}

#[derive(Serialize)]
struct Meaning<'a> {
    domains: Vec<DomainMeaning<'a>>,
    ip_ranges: Vec<RangeMeaning<'a>>,
    mode: Mode,
    version: u32,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct DomainMeaning<'a> {
    allow_private: bool,
    pattern: &'a Pattern,
    ports: &'a Ports,
    protocol: Protocol,
}

impl<'a> DomainMeaning<'a> {
    fn of(rule: &'a DomainRule) -> Self {
        let DomainRule { allow_private, pattern, ports, protocol, .. } = rule;
        Self { allow_private: *allow_private, pattern, ports, protocol: *protocol }
    }
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct RangeMeaning<'a> {
    cidr: IpNet,
    ports: &'a Ports,
}

pub(super) fn whole(rules: &Rules) -> String {
    let whole =
        Whole { domains: rules.domains.clone(), ip_ranges: rules.ranges.clone(), mode: rules.mode, version: VERSION };
    write(&whole)
}

pub(super) fn read(text: &str) -> Result<Rules, CanonicalError> {
    let whole: Whole = serde_json::from_str(text)?;
    if whole.version != VERSION {
        return Err(CanonicalError::Version(whole.version));
    }
    whole.domains.iter().try_for_each(this_host::check)?;
    whole.ip_ranges.iter().try_for_each(|rule| parse_cidr(&rule.cidr.to_string()).map(drop))?;
    Ok(Rules::new(whole.mode, whole.domains, whole.ip_ranges))
}

pub(super) fn meaning(mode: Mode, domains: &[DomainRule], ranges: &[RangeRule]) -> String {
    let mut domains: Vec<_> = domains.iter().map(DomainMeaning::of).collect();
    domains.sort();
    domains.dedup();
    let mut ip_ranges: Vec<_> =
        ranges.iter().map(|rule| RangeMeaning { cidr: rule.cidr, ports: &rule.ports }).collect();
    ip_ranges.sort();
    ip_ranges.dedup();
    write(&Meaning { domains, ip_ranges, mode, version: VERSION })
}

fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, integers and lists always serialise")
}
