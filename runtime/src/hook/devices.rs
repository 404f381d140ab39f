//! Which devices of the host's may a container open, beyond those of every container? By a disk all of the host's files are read.

use serde::Deserialize;

use super::Configuration;

/// One that is made for it (OCI runtime specification, `linux.devices`).
#[derive(Debug, Deserialize)]
pub(super) struct Device {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    major: i64,
    #[serde(default)]
    minor: i64,
}

/// What its control group lets it do (`linux.resources.devices`); what is not said, or -1, is any.
#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    allow: bool,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    major: Option<i64>,
    #[serde(default)]
    minor: Option<i64>,
    #[serde(default)]
    access: Option<String>,
}

/// `type major:minor` of each. To make a device node is no power over the device: it takes a rule to open it.
pub(super) fn devices(configuration: &Configuration) -> Vec<String> {
    let linux = &configuration.written.linux;
    let made = linux.devices.iter().flatten().map(|it| (it.kind.as_str(), Some(it.major), Some(it.minor)));
    // A FIFO is none.
    let made = made.filter(|(kind, ..)| *kind != "p");
    let rules = linux.resources.devices.iter().flatten().filter(|rule| rule.allow && opens(rule));
    let ruled = rules.map(|rule| {
        let known = |number: Option<i64>| number.filter(|number| *number >= 0);
        (rule.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("a"), known(rule.major), known(rule.minor))
    });
    let beyond = made.chain(ruled).filter(|(kind, major, minor)| !is_usual(kind, *major, *minor));
    beyond.map(|(kind, major, minor)| format!("{kind} {}:{}", number(major), number(minor))).collect()
}

fn opens(rule: &Rule) -> bool {
    rule.access.as_ref().is_none_or(|access| access.is_empty() || access.contains(['r', 'w']))
}

/// null, zero, full, random, urandom; tty, console, ptmx; pseudo-terminals; tun, which runc adds itself (linux,
/// Documentation/admin-guide/devices.txt).
fn is_usual(kind: &str, major: Option<i64>, minor: Option<i64>) -> bool {
    let known = match (major, minor) {
        (Some(1), Some(minor)) => [3, 5, 7, 8, 9].contains(&minor),
        (Some(5), Some(minor)) => [0, 1, 2].contains(&minor),
        (Some(10), Some(200)) | (Some(136), _) => true,
        _ => false,
    };
    ["c", "u"].contains(&kind) && known
}

fn number(number: Option<i64>) -> String {
    number.map_or_else(|| "*".to_owned(), |number| number.to_string())
}
